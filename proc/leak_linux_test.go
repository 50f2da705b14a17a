package proc_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/proc"
	"github.com/coppice-go/coppice/tree"
)

// use is what a program holds.
type use struct{ files, threads, goroutines, children int }

func used(t testing.TB) use {
	files, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	threads, err := os.ReadDir("/proc/self/task")
	require.NoError(t, err)
	return use{len(files), len(threads), runtime.NumGoroutine(), len(look())}
}

// back waits until no more is held than before, but for some threads, which Go
// keeps.
func back(t testing.TB, before use) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(glance) { // here: Eventually has a goroutine of its own
		now := used(t)
		if now.files <= before.files && now.goroutines <= before.goroutines && now.children == 0 && now.threads <= before.threads+20 {
			return
		}
		if time.Now().After(end) {
			require.FailNow(t, "something is left", "%+v, before %+v", now, before)
		}
	}
}

// quiet makes Go open what it keeps open.
func quiet(t testing.TB) use {
	require.NoError(t, (&proc.Command{Path: "true"}).Serve(context.Background()))
	runtime.GC()
	return used(t)
}

func TestManyRestartsLeaveNothing(t *testing.T) {
	const n = 1000
	before := quiet(t)
	var ends counter
	reached := make(chan struct{})
	runner := tree.Runner{Logger: slog.New(slog.DiscardHandler), EventBuffer: 10 * n, OnEvent: func(e tree.Event) {
		if e.Kind == tree.ChildEnded {
			if ends.sum.Add(1) == n {
				close(reached)
			}
		}
	}}
	tr, err := runner.Start(context.Background(), tree.Spec{Intensity: unlimited, Children: []tree.Child{
		{Name: "p", Service: &proc.Command{Path: "false"}},
	}})
	require.NoError(t, err)
	<-reached
	during := used(t)
	require.LessOrEqual(t, during.files, before.files+20)
	require.LessOrEqual(t, during.threads, before.threads+20)
	require.LessOrEqual(t, during.children, 2, "it and the guardian")
	_, err = tr.Stop(context.Background())
	require.NoError(t, err)
	back(t, before)
}

func TestFailedStartsLeaveNothing(t *testing.T) {
	before := quiet(t)
	for _, c := range []*proc.Command{
		{Path: "/no/such/program"}, {Path: "no-such-program-anywhere"}, {Path: "true", Dir: "/no/such/dir"}, {Path: os.TempDir()},
	} {
		for range 50 {
			require.Error(t, c.Serve(context.Background()))
		}
	}
	back(t, before)
}

// Given up output holds no file when the writer returns.
func TestGivenUpOutputLeavesNothing(t *testing.T) {
	before := quiet(t)
	b := &blocker{called: make(chan struct{}), gate: make(chan struct{})}
	c := helper(t, "flood")
	c.Stdout = writerFunc(func(p []byte) (int, error) { b.block(); return len(p), nil })
	r := serve(t, c)
	<-b.called
	r.cancel()
	require.NoError(t, r.end())
	files, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	require.LessOrEqual(t, len(files), before.files, "the pipe is closed already")
	close(b.gate)
	back(t, before)
}

func TestManyAtOnce(t *testing.T) {
	const n = 200
	before := quiet(t)
	w := record(t)
	spec := tree.Spec{Template: &tree.Template{Child: tree.Child{Service: &proc.Command{Path: "sleep", Args: []string{"1000"}}}}}
	tr, err := w.runner().Start(context.Background(), spec)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if _, err := tr.StartInstance(context.Background(), "root", nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	during := used(t)
	require.Equal(t, n+1, during.children, "they and the guardian")
	require.LessOrEqual(t, during.threads, before.threads+30, "waiting costs no thread")
	pids := map[int]bool{}
	snap, err := tr.Snapshot(context.Background())
	require.NoError(t, err)
	for _, c := range snap.Children {
		pids[c.PID] = true
	}
	require.Len(t, pids, n)
	_, err = tr.Stop(context.Background())
	require.NoError(t, err)
	back(t, before)
}

// Trees that come and go share the guardian.
func TestManyTreesAtOnce(t *testing.T) {
	before := quiet(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for k := range 15 {
				w := record(t)
				tr, err := w.runner().Start(context.Background(), tree.Spec{Name: fmt.Sprintf("t%d-%d", i, k), Children: []tree.Child{
					{Name: "p", Service: &proc.Command{Path: "sleep", Args: []string{"1000"}}},
					{Name: "f", Service: actor.Func(func(ctx context.Context) error { <-ctx.Done(); return nil })},
				}})
				if err == nil {
					_, err = tr.Stop(context.Background())
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	back(t, before)
}
