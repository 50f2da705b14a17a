package contestants

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/bench/contest"
	"github.com/coppice-go/coppice/bench/workloads"
)

// What stands between the marks is in README.md as the least that works.

// begin
type mine struct{}

type mineTree struct{ sup *mySupervisor }

func (mine) Start(spec *contest.Spec) (contest.Tree, error) {
	if spec.Strategy != contest.OneForOne || spec.GiveUp {
		return nil, contest.ErrHasNone // the tables say "has none"
	}
	sup := newMySupervisor()
	for _, c := range spec.Children {
		if c.Sub != nil {
			return nil, contest.ErrHasNone
		}
		sup.Add(c.Serve) // func(context.Context) error, to be called again whenever it returns or panics
	}
	return mineTree{sup}, nil
}

func (t mineTree) Stop() error { t.sup.Stop(); return nil }

// end

// mySupervisor is somebody's.
type mySupervisor struct {
	ctx    context.Context
	cancel context.CancelFunc
	all    sync.WaitGroup
}

func newMySupervisor() *mySupervisor {
	s := &mySupervisor{}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

func (s *mySupervisor) Add(serve func(context.Context) error) {
	s.all.Go(func() {
		for s.ctx.Err() == nil {
			func() {
				defer func() { _ = recover() }()
				_ = serve(s.ctx)
			}()
		}
	})
}

func (s *mySupervisor) Stop() {
	s.cancel()
	s.all.Wait()
}

// The least that works, works, and is what the README shows.
func TestTheLeastContestant(t *testing.T) {
	for _, w := range workloads.All {
		samples, err := workloads.Measure(mine{}, contest.Request{Workload: w.Name, N: 3, Millis: int((20 * time.Millisecond).Milliseconds())})
		switch w.Name {
		case "start-stop", "memory", "idle", "crash-error", "crash-panic", "storm-error", "storm-panic":
			require.NoError(t, err, w.Name)
			require.Len(t, samples, len(w.Metrics), w.Name)
		default:
			require.ErrorIs(t, err, contest.ErrHasNone, w.Name)
		}
	}
	source, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	_, code, _ := strings.Cut(string(source), "// begin\n")
	code, _, _ = strings.Cut(code, "\n// end\n")
	require.Contains(t, string(readme), "```go\n"+code+"```\n")
}

// hasty says that all have ended when they were told to.
type hasty struct{}

type hastyTree struct{ sup *mySupervisor }

func (hasty) Start(spec *contest.Spec) (contest.Tree, error) {
	t, err := mine{}.Start(spec)
	return hastyTree{t.(mineTree).sup}, err
}

func (t hastyTree) Stop() error { return nil }

func (t hastyTree) StartChild(c *contest.Child) (func() error, error) {
	t.sup.Add(c.Serve)
	return func() error { return nil }, nil
}

func TestWhoStopsTooSoon(t *testing.T) {
	for workload, want := range map[string]string{
		"start-stop": "stopped, it says, but 3 of 3 children still run",
		"churn":      "churn: stopped, it says, but 1 of 1 children still run",
	} {
		_, err := workloads.Measure(hasty{}, contest.Request{Workload: workload, N: 3, Millis: 10})
		require.EqualError(t, err, want)
	}
}

type nothing struct{}

func (nothing) Start(*contest.Spec) (contest.Tree, error) { return nil, nil }

func TestWhatCannotBeMeasured(t *testing.T) {
	_, err := workloads.Measure(nothing{}, contest.Request{Workload: "idle", N: 1})
	require.ErrorContains(t, err, "has started nothing, without an error")
	_, err = workloads.Measure(mine{}, contest.Request{Workload: "nosuch", N: 1})
	require.ErrorContains(t, err, `no workload "nosuch"`)
	_, err = workloads.Measure(mine{}, contest.Request{Workload: "idle", N: 0})
	require.ErrorContains(t, err, "idle: n is 0, must be at least 1")
}
