package tree_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

// logOf runs spec as "shop" while f hurts it, and returns the log without its
// times and stacks.
func logOf(t *testing.T, level slog.Level, spec tree.Spec, f func(*tree.Tree)) []string {
	t.Helper()
	var log bytes.Buffer
	spec.Name = "shop"
	r := tree.Runner{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{
		Level: level,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			switch {
			case a.Key == slog.TimeKey:
				return slog.Attr{}
			case a.Key == "stack":
				require.Contains(t, a.Value.String(), "tree_test.")
				return slog.String("stack", "...")
			}
			return a
		},
	}))}
	tr, err := r.Start(t.Context(), spec)
	require.NoError(t, err)
	f(tr)
	_, _ = tr.Stop(t.Context())
	return strings.Split(strings.TrimSpace(log.String()), "\n")
}

// One line for a failure: who, why, what happens next, how much of the limit is
// used.
func TestLogFailure(t *testing.T) { bubble(t, testLogFailure) }

func testLogFailure(t *testing.T) {
	a := newPart()
	require.Equal(t, []string{
		`level=WARN msg="child failed" path=shop/a incarnation=1 error=boom next="restart now" limit="1/2 in 1m0s"`,
		`level=WARN msg="child failed" path=shop/a incarnation=2 error="panic: boom" next="restart now" limit="2/2 in 1m0s" stack=...`,
		`level=ERROR msg="gave up" path=shop/a incarnation=3 error=boom next="supervisor ends" limit="3/2 in 1m0s"`,
		`level=INFO msg="supervisor stopping" path=shop error=boom rule=intensity`,
	}, logOf(t, slog.LevelInfo, tree.Spec{Intensity: strategies.Intensity{Max: 2, Within: time.Minute}, Children: kids(a)}, func(*tree.Tree) {
		a.end(errBoom)
		a.run(func() error { panic(errBoom) })
		a.end(errBoom)
	}))
}

func TestLogKinds(t *testing.T) { bubble(t, testLogKinds) }

func testLogKinds(t *testing.T) {
	parts := map[string]*part{}
	child := func(name string, r strategies.Restart, p strategies.Policy) tree.Child {
		parts[name] = newPart()
		return tree.Child{Name: name, Service: parts[name], Restart: r, Policy: p}
	}
	spec := tree.Spec{Intensity: unlimited, Children: []tree.Child{
		child("normal", strategies.Permanent, strategies.Policy{}),
		child("delayed", strategies.Permanent, strategies.Policy{Delay: 1500 * time.Millisecond}),
		child("down", strategies.Permanent, strategies.Policy{MaxRestarts: 1, Exhausted: strategies.StayDown}),
		child("temporary", strategies.Temporary, strategies.Policy{}),
		child("transient", strategies.Transient, strategies.Policy{}),
	}}
	require.Equal(t, []string{
		`level=INFO msg="child ended" path=shop/normal incarnation=1 next="restart now" limit="1, unlimited"`,
		`level=WARN msg="child failed" path=shop/delayed incarnation=1 error="two\nlines" next="restart in 1.5s" limit="2, unlimited"`,
		`level=WARN msg="child failed" path=shop/down incarnation=1 error=boom next="restart now" limit="3, unlimited"`,
		`level=ERROR msg="gave up" path=shop/down incarnation=2 error=boom next="child stays down" limit="1/1 of the child"`,
		`level=WARN msg="child failed" path=shop/temporary incarnation=1 error=boom next="not restarted: temporary"`,
		`level=ERROR msg="gave up" path=shop/normal incarnation=2 error="escalate: boom" next="supervisor ends" limit="none: escalated by the child"`,
		`level=INFO msg="supervisor stopping" path=shop error="escalate: boom" rule=escalate`,
	}, logOf(t, slog.LevelInfo, spec, func(*tree.Tree) {
		parts["normal"].end(nil)
		parts["delayed"].end(fmt.Errorf("two\nlines"))
		parts["down"].end(errBoom)
		parts["down"].end(errBoom)
		parts["temporary"].end(errBoom)
		parts["transient"].end(nil) // as it should be
		parts["normal"].end(actor.Escalate(errBoom))
	}))
}

func TestLogStuck(t *testing.T) { bubble(t, testLogStuck) }

func testLogStuck(t *testing.T) {
	release := make(chan struct{})
	hangs := onStop(func(context.Context) error { <-release; return nil })
	lines := logOf(t, slog.LevelInfo, tree.Spec{Children: []tree.Child{{Name: "a", Service: hangs, Shutdown: time.Second}}}, func(tr *tree.Tree) {
		_ = tr.TerminateChild(t.Context(), "shop/a")
		sleep(0)
		close(release)
		sleep(0)
	})
	require.Equal(t, []string{
		`level=ERROR msg="child stuck" path=shop/a incarnation=1 error="stuck: asked to stop and still running" waited=1s stack=...`,
		`level=WARN msg="stuck child has ended" path=shop/a incarnation=1`,
		`level=INFO msg="supervisor stopping" path=shop rule=request`,
	}, lines)
}

// All is well: at level warn there is nothing to read, at debug everything.
func TestLogQuiet(t *testing.T) { bubble(t, testLogQuiet) }

func testLogQuiet(t *testing.T) {
	orderly := func(tr *tree.Tree) {
		require.NoError(t, tr.StartChild(t.Context(), "shop", tree.Child{Name: "b", Service: newPart()}))
		require.NoError(t, tr.ReplaceChild(t.Context(), "shop/b"))
	}
	require.Equal(t, []string{""}, logOf(t, slog.LevelWarn, tree.Spec{Children: kids(newPart())}, orderly))
	require.Equal(t, []string{
		`level=DEBUG msg="child starting" path=shop/a incarnation=1`,
		`level=DEBUG msg="child started" path=shop/a incarnation=1`,
		`level=DEBUG msg="supervisor started" path=shop`,
		`level=DEBUG msg="child starting" path=shop/b incarnation=1`,
		`level=DEBUG msg="child started" path=shop/b incarnation=1`,
		`level=DEBUG msg="request done" path=shop/b request="start child"`,
		`level=DEBUG msg="child ended" path=shop/b incarnation=1 error="context canceled" class=shutdown ran=0s`,
		`level=DEBUG msg="child starting" path=shop/b incarnation=2`,
		`level=DEBUG msg="child started" path=shop/b incarnation=2`,
		`level=DEBUG msg="request done" path=shop/b request="replace child"`,
		`level=INFO msg="supervisor stopping" path=shop rule=request`,
		`level=DEBUG msg="child ended" path=shop/b incarnation=2 error="context canceled" class=shutdown ran=0s`,
		`level=DEBUG msg="child ended" path=shop/a incarnation=1 error="context canceled" class=shutdown ran=0s`,
	}, logOf(t, slog.LevelDebug, tree.Spec{Children: kids(newPart())}, orderly))
}

// brokenHandler is a slog.Handler that does its worst.
type brokenHandler struct{ handle func() }

func (brokenHandler) Enabled(context.Context, slog.Level) bool    { return true }
func (h brokenHandler) Handle(context.Context, slog.Record) error { h.handle(); return nil }
func (h brokenHandler) WithAttrs([]slog.Attr) slog.Handler        { return h }
func (h brokenHandler) WithGroup(string) slog.Handler             { return h }

// A logger that panics or blocks holds up nothing.
func TestLogHandlerBroken(t *testing.T) {
	release := make(chan struct{})
	for name, handle := range map[string]func(){
		"panics": func() { panic("handler") },
		"blocks": func() { <-release },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				release = make(chan struct{})
				a := newPart()
				tr, err := tree.Runner{Logger: slog.New(brokenHandler{handle})}.Start(t.Context(), tree.Spec{Intensity: unlimited, Children: kids(a)})
				require.NoError(t, err)
				for range 10 {
					a.run(func() error { panic("a") })
				}
				n, err := tr.Find(t.Context(), "root/a")
				require.NoError(t, err)
				require.Equal(t, 11, n.Incarnation)
				_, err = tr.Stop(t.Context())
				require.NoError(t, err)
				close(release)
			})
		})
	}
}

// The program ends even if the logger does not let go.
func TestStuckExitWithBrokenLogger(t *testing.T) {
	bubble(t, func(t *testing.T) {
		release, codes := make(chan struct{}), make(chan int, 1)
		r := tree.Runner{Logger: slog.New(brokenHandler{func() { <-release }})}.WithExit(func(code int) { codes <- code })
		hangs := onStop(func(context.Context) error { <-release; return nil })
		tr, err := r.Start(t.Context(), tree.Spec{Children: []tree.Child{{Name: "a", Service: hangs, Shutdown: time.Second, OnStuck: tree.StuckExit}}})
		require.NoError(t, err)
		go func() { _, _ = tr.Stop(context.Background()) }()
		require.Equal(t, tree.ExitStuck, <-codes)
		close(release)
		<-tr.Done()
	})
}
