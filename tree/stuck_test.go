package tree_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	proto "github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

// deaf is a child whose first incarnations do not hear the request to stop: they
// end when they are released.
type deaf struct {
	*part
	release chan func() error
}

func newDeaf(incarnations int) *deaf {
	d := &deaf{part: newPart(), release: make(chan func() error)}
	var stops atomic.Int64
	d.onStop = func(ctx context.Context) error {
		if stops.Add(1) <= int64(incarnations) {
			return d.doesNotHear()
		}
		return ctx.Err()
	}
	return d
}

// doesNotHear is a name to be looked for in stacks.
func (d *deaf) doesNotHear() error { return (<-d.release)() }

func (d *deaf) free() {
	d.release <- func() error { return nil }
	synctest.Wait()
}

// Under StuckHold no second incarnation starts beside the living one: the start
// fails, is retried under the child's policy, counts, and succeeds when the old
// one has ended.
func TestStuckHold(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := newDeaf(1), newPart()
		w := start(t, tree.Spec{
			Strategy: strategies.OneForAll, Intensity: strategies.Intensity{Max: 4, Within: time.Hour},
			Children: []tree.Child{
				{Name: "a", Service: a, Shutdown: time.Second, Policy: strategies.Policy{Delay: time.Minute}},
				{Name: "b", Service: b},
			},
		})
		w.news()
		b.end(errBoom)
		sleep(time.Second)
		require.Equal(t, []string{
			"b: child ended, abnormal: boom",
			"b: restart planned, 1 of 4: boom",
			"a: child stuck: stuck: asked to stop and still running",
			"a2: start failed: stuck: asked to stop and still running",
			"a2: restart planned, 2 of 4, in 1m0s: stuck: asked to stop and still running",
		}, w.story())
		require.Equal(t, "a restarting, b down", w.states("root"))
		require.Equal(t, 1, w.node("root/a").Stuck)
		require.ErrorIs(t, w.node("root/a").LastError, tree.ErrStuck)

		sleep(time.Minute)
		require.Equal(t, "!a3", w.life())
		a.free()
		sleep(time.Minute)
		require.Equal(t, "+a4 +b2", w.life())
		require.Zero(t, w.node("root/a").Stuck)
	})
}

// Without a delay the tries use up the intensity at once, and the failure climbs
// to the end of the tree, which names who is stuck.
func TestStuckHoldClimbs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := newDeaf(1), newPart()
		defer a.free()
		w := start(t, tree.Spec{Intensity: none, Children: []tree.Child{{Name: "sub", Service: tree.Spec{
			Strategy: strategies.OneForAll, Intensity: strategies.Intensity{Max: 3}, Children: kids(a, b),
		}}}})
		w.news()
		b.end(errBoom)
		sleep(tree.DefaultShutdown)
		require.Equal(t, "-sub/b ?sub/a !sub/a2 !sub/a3 !sub/a4 -sub", w.life())
		err := w.ended()
		require.ErrorIs(t, err, tree.ErrStuck)
		require.ErrorIs(t, err, tree.ErrGaveUp)
		report, ok := w.Report()
		require.True(t, ok)
		require.Len(t, report.Stuck, 1)
		require.Equal(t, "root/sub/a", report.Stuck[0].Path)
		require.Equal(t, 1, report.Stuck[0].Incarnation)
		require.Contains(t, report.Stuck[0].Stack, "doesNotHear")
		require.Contains(t, report.String(), "still running: root/sub/a, incarnation 1\n")
	})
}

// StuckHold holds the path, not the supervisor's incarnation: a new supervisor
// does not start the child beside the old one either.
func TestStuckHoldOutlivesSupervisor(t *testing.T) {
	for name, svc := range map[string]func() (service actor.Service, hang func(w *world), release func()){
		"goroutine": func() (actor.Service, func(*world), func()) {
			a := newDeaf(1)
			return a, func(*world) {}, a.free
		},
		"actor": func() (actor.Service, func(*world), func()) {
			gate := make(chan struct{})
			return (&player{}).props(), func(w *world) { w.act("root/sub/a", func(proto.Context) { <-gate }) }, func() { close(gate) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				service, hang, release := svc()
				w := start(t, tree.Spec{Intensity: unlimited, Children: []tree.Child{{
					Name: "sub", Service: tree.Spec{Children: kids(service)}, Policy: strategies.Policy{Delay: time.Minute},
				}}})
				hang(w)
				require.ErrorIs(t, w.ReplaceChild(t.Context(), "root/sub"), tree.ErrStuck)
				require.Equal(t, "sub down", w.states("root"))
				require.ErrorIs(t, w.RestartChild(t.Context(), "root/sub"), tree.ErrStuck)
				release()
				sleep(time.Minute)
				require.NoError(t, w.RestartChild(t.Context(), "root/sub"))
				require.Equal(t, "a running", w.states("root/sub"))
			})
		})
	}
}

// By request: terminating a stuck child says so, and restarting it works when it
// has ended.
func TestStuckByRequest(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newDeaf(1)
		w := start(t, tree.Spec{Intensity: none, Children: kids(a)})
		require.ErrorIs(t, w.TerminateChild(t.Context(), "root/a"), tree.ErrStuck)
		require.Equal(t, "a down", w.states("root"))
		require.NoError(t, w.TerminateChild(t.Context(), "root/a"), "it is down already")
		require.ErrorIs(t, w.RestartChild(t.Context(), "root/a"), tree.ErrStuck)
		require.ErrorIs(t, w.ReplaceChild(t.Context(), "root/a"), tree.ErrStuck)
		a.free()
		require.NoError(t, w.RestartChild(t.Context(), "root/a"))
		require.Zero(t, w.node("root").Used)
	})
}

// A name whose old owner is stuck cannot be taken by another child.
func TestStuckHoldsItsName(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newDeaf(1)
		w := start(t, tree.Spec{Children: kids(a)})
		require.ErrorIs(t, w.TerminateChild(t.Context(), "root/a"), tree.ErrStuck)
		require.NoError(t, w.DeleteChild(t.Context(), "root/a"))
		again := tree.Child{Name: "a", Service: newPart()}
		require.ErrorIs(t, w.StartChild(t.Context(), "root", again), tree.ErrStuck)
		a.free()
		require.NoError(t, w.StartChild(t.Context(), "root", again))
	})
}

// StuckAbandon goes on as after a kill; the old incarnation is listed until it
// ends.
func TestStuckAbandon(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newDeaf(1)
		w := start(t, tree.Spec{Children: []tree.Child{{Name: "a", Service: a, OnStuck: tree.StuckAbandon}}})
		w.news()
		require.NoError(t, w.ReplaceChild(t.Context(), "root/a"))
		require.Equal(t, []string{
			"a: child stuck: stuck: asked to stop and still running",
			"a2: child started",
			"a: request done, replace child",
		}, w.story())
		require.Equal(t, 1, w.node("root/a").Stuck)
		require.Contains(t, w.node("root").String(), "STUCK #1")
		a.free()
		require.Equal(t, []string{"a: late end, shutdown"}, w.story())
		require.Zero(t, w.node("root/a").Stuck)
		require.Equal(t, "a running", w.states("root"))
	})
}

// Every abandoned incarnation is told of when it ends, in whatever order.
func TestStuckAbandonedMoreThanOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newDeaf(2)
		w := start(t, tree.Spec{Children: []tree.Child{{Name: "a", Service: a, OnStuck: tree.StuckAbandon}}})
		require.NoError(t, w.ReplaceChild(t.Context(), "root/a"))
		require.NoError(t, w.ReplaceChild(t.Context(), "root/a"))
		require.Equal(t, "+a ?a +a2 ?a2 +a3", w.life())
		a.free()
		a.free()
		require.ElementsMatch(t, []string{"a: late end, shutdown", "a2: late end, shutdown"}, w.story())
		w.stop()
	})
}

// What an old incarnation does later never touches the new one.
func TestStuckLateEnds(t *testing.T) {
	for name, late := range map[string]func(old context.Context) error{
		"returns":        func(context.Context) error { return nil },
		"fails":          func(context.Context) error { return errBoom },
		"escalates":      func(context.Context) error { return actor.Escalate(errBoom) },
		"panics":         func(context.Context) error { panic(errBoom) },
		"calls Ready":    func(ctx context.Context) error { actor.Ready(ctx); return nil },
		"sets a status":  func(ctx context.Context) error { actor.SetStatus(ctx, actor.Status{Text: "ghost"}); return nil },
		"beats, returns": func(ctx context.Context) error { actor.Beat(ctx); return actor.ErrShutdown },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				a := newDeaf(1)
				w := start(t, tree.Spec{
					Strategy: strategies.OneForAll, Intensity: none, Children: []tree.Child{
						{Name: "a", Service: a, OnStuck: tree.StuckAbandon},
						{Name: "b", Service: newPart()},
					},
				})
				old := a.context()
				require.NoError(t, w.ReplaceChild(t.Context(), "root/a"))
				w.news()
				a.release <- func() error { return late(old) }
				events := w.news()
				require.Len(t, events, 1)
				require.Equal(t, tree.LateEnd, events[0].Kind)
				require.Equal(t, 1, events[0].Incarnation)
				require.Equal(t, "a running, b running", w.states("root"))
				require.Equal(t, 2, w.node("root/a").Incarnation)
				require.NotErrorIs(t, w.node("root/a").LastError, errBoom)
				require.Empty(t, w.node("root/a").Status)
			})
		})
	}
}

// StuckExit ends the program.
func TestStuckExit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var code atomic.Int64
		a := newDeaf(1)
		w := record(t)
		tr, err := w.runner().WithExit(func(c int) { code.Store(int64(c)) }).Start(t.Context(), tree.Spec{
			Children: []tree.Child{{Name: "a", Service: a, OnStuck: tree.StuckExit}},
		})
		require.NoError(t, err)
		_, err = tr.Stop(t.Context())
		require.ErrorIs(t, err, tree.ErrStuck)
		require.EqualValues(t, tree.ExitStuck, code.Load())
		a.free()
	})
}

// An actor that hangs in a handler is stuck as a goroutine is, and holds up
// nobody else.
func TestStuckActor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		gate := make(chan struct{})
		w := start(t, tree.Spec{Children: []tree.Child{
			{Name: "a", Service: newPart()},
			{Name: "b", Service: (&player{}).props(), Shutdown: time.Second, OnStuck: tree.StuckAbandon},
		}})
		w.act("root/b", func(proto.Context) { hangs(gate) })
		require.NoError(t, w.ReplaceChild(t.Context(), "root/b"))
		require.Equal(t, "+a +b ?b +b2", w.life())
		w.tell("root/b", "to the new one")

		w.act("root/b", func(proto.Context) { hangs(gate) })
		report, err := w.Stop(t.Context())
		require.ErrorIs(t, err, tree.ErrStuck)
		require.Equal(t, 1200*time.Millisecond, report.Took)
		require.Len(t, report.Stuck, 2)
		for i, s := range report.Stuck {
			require.Equal(t, "root/b", s.Path)
			require.Equal(t, i+1, s.Incarnation)
			require.Contains(t, s.Stack, "tree_test.hangs")
		}
		require.Equal(t, "?b2 -a", w.life())
		close(gate)
	})
}

func hangs(gate chan struct{}) { <-gate }

// A stuck actor that comes to after all is told of, and its address serves the
// new one.
func TestStuckActorEndsLate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		gate := make(chan struct{})
		p := &player{}
		w := start(t, tree.Spec{Intensity: unlimited, Children: []tree.Child{
			{Name: "a", Service: p.props(), Shutdown: time.Second, Policy: strategies.Policy{Delay: time.Minute}},
		}})
		w.act("root/a", func(proto.Context) { hangs(gate) })
		require.ErrorIs(t, w.TerminateChild(t.Context(), "root/a"), tree.ErrStuck)
		require.ErrorIs(t, w.RestartChild(t.Context(), "root/a"), tree.ErrStuck)
		w.news()
		close(gate)
		require.Equal(t, []string{"a: late end, shutdown"}, w.story())
		require.NoError(t, w.RestartChild(t.Context(), "root/a"))
		w.tell("root/a", "hello")
		require.Equal(t, []any{"hello"}, p.heard)
	})
}
