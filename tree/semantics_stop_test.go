package tree_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

// 27. AutoShutdown: Any: the first significant child that ends by itself
// (transient: normally; temporary: in any way) makes the supervisor stop with
// reason shutdown. All: when the last significant one has.
func TestSemantics27AutoShutdown(t *testing.T) {
	type end struct {
		child int
		err   error
	}
	const trans, temp = strategies.Transient, strategies.Temporary
	for _, tt := range []struct {
		name string
		auto tree.AutoShutdown
		kind strategies.Restart
		ends []end
		over bool
	}{
		{"any, transient, normally", tree.AnySignificant, trans, []end{{0, nil}}, true},
		{"any, transient, shutdown", tree.AnySignificant, trans, []end{{0, actor.ErrShutdown}}, true},
		{"any, transient, fails", tree.AnySignificant, trans, []end{{0, errBoom}}, false},
		{"any, temporary, normally", tree.AnySignificant, temp, []end{{0, nil}}, true},
		{"any, temporary, fails", tree.AnySignificant, temp, []end{{0, errBoom}}, true},
		{"any, another child", tree.AnySignificant, temp, []end{{2, nil}}, false},
		{"all, the first", tree.AllSignificant, trans, []end{{0, nil}}, false},
		{"all, both", tree.AllSignificant, trans, []end{{0, nil}, {1, nil}}, true},
		{"all, both, temporary", tree.AllSignificant, temp, []end{{1, errBoom}, {0, nil}}, true},
		{"all, one fails", tree.AllSignificant, trans, []end{{0, nil}, {1, errBoom}}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				parts := []*part{newPart(), newPart(), newPart(), newPart()}
				w := start(t, tree.Spec{AutoShutdown: tt.auto, Intensity: unlimited, Children: []tree.Child{
					{Name: "s0", Service: parts[0], Restart: tt.kind, Significant: true},
					{Name: "s1", Service: parts[1], Restart: tt.kind, Significant: true},
					{Name: "other", Service: parts[2], Restart: tt.kind},
					{Name: "last", Service: parts[3]},
				}})
				for _, e := range tt.ends {
					parts[e.child].end(e.err)
				}
				if !tt.over {
					w.requireAlive()
					return
				}
				err := w.ended()
				if last := tt.ends[len(tt.ends)-1].err; last == errBoom {
					require.ErrorIs(t, err, errBoom)
				} else {
					require.NoError(t, err, "all was well")
				}
				for _, e := range w.news() {
					if e.Kind == tree.SupervisorEnding {
						require.Equal(t, tree.RuleAutoShutdown, e.Rule)
					}
				}
			})
		})
	}
}

// The supervisor's end by auto-shutdown is a shutdown for its parent: a permanent
// one is started again, a transient one is not, and may be significant itself.
func TestSemantics27AutoShutdownClimbs(t *testing.T) {
	for _, tt := range []struct {
		restart strategies.Restart
		life    string
	}{
		{strategies.Permanent, "-sub/x -sub/y -sub +sub/x2 +sub/y2 +sub2"},
		{strategies.Transient, "-sub/x -sub/y -sub -z"},
	} {
		t.Run(tt.restart.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				x := newPart()
				w := start(t, tree.Spec{AutoShutdown: tree.AnySignificant, Children: []tree.Child{
					{Name: "z", Service: newPart()},
					{
						Name: "sub", Restart: tt.restart, Significant: tt.restart == strategies.Transient,
						Service: tree.Spec{AutoShutdown: tree.AnySignificant, Children: []tree.Child{
							{Name: "x", Service: x, Restart: strategies.Transient, Significant: true},
							{Name: "y", Service: newPart()},
						}},
					},
				}})
				w.news()
				x.end(nil)
				require.Equal(t, tt.life, w.life())
			})
		})
	}
}

// 28. A significant child stopped by request, or by a sibling's failure, does not
// trigger it.
func TestSemantics28NotTriggered(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newPart()
		w := start(t, tree.Spec{
			AutoShutdown: tree.AnySignificant, Strategy: strategies.OneForAll, Intensity: unlimited,
			Children: []tree.Child{
				{Name: "temp", Service: newPart(), Restart: strategies.Temporary, Significant: true},
				{Name: "trans", Service: newPart(), Restart: strategies.Transient, Significant: true},
				{Name: "b", Service: b},
			},
		})
		w.news()
		b.end(errBoom)
		require.Equal(t, "-b -trans -temp +trans2 +b2", w.life())
		require.NoError(t, w.TerminateChild(t.Context(), "root/trans"))
		w.requireAlive()
	})
}

// In All, a significant child that is restarting is still awaited; one stopped by
// request, or that never started, is not.
func TestSemantics28AllAndOtherStates(t *testing.T) {
	bubble(t, func(t *testing.T) {
		parts := []*part{newPart(), newPart(), newPart()}
		w := start(t, tree.Spec{AutoShutdown: tree.AllSignificant, Intensity: unlimited, Children: []tree.Child{
			{Name: "a", Service: parts[0], Restart: strategies.Transient, Significant: true},
			{Name: "b", Service: parts[1], Restart: strategies.Transient, Significant: true, Policy: strategies.Policy{Delay: time.Hour}},
			{Name: "c", Service: parts[2], Restart: strategies.Transient, Significant: true},
			{Name: "d", Service: onStart(func(context.Context, int) error { return actor.ErrIgnore }), StartTimeout: time.Second, Restart: strategies.Transient, Significant: true},
		}})
		require.NoError(t, w.TerminateChild(t.Context(), "root/c"))
		parts[1].end(errBoom)
		parts[0].end(nil)
		w.requireAlive() // b is restarting
		sleep(time.Hour)
		parts[1].end(nil)
		require.NoError(t, w.ended())
	})
}

// 29. Reverse start order, one after another, nested supervisors whole.
func TestSemantics29StopOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		second := func() *part {
			return onStop(func(context.Context) error { time.Sleep(time.Second); return nil })
		}
		w := start(t, tree.Spec{Children: []tree.Child{
			{Name: "a", Service: second()},
			{Name: "b", Service: tree.Spec{Children: kids(second(), second())}},
			{Name: "c", Service: second()},
		}})
		w.news()
		report, err := w.Stop(t.Context())
		require.NoError(t, err)
		require.Equal(t, "-c -b/b -b/a -b -a", w.life())
		require.Equal(t, 4*time.Second, report.Took, "one after another")
		require.Empty(t, report.Stuck)
	})
}

// Each: ask, wait up to its Shutdown; brutal: do not wait; infinity: wait.
// Default for a supervisor child: infinity; others: 5 s.
func TestSemantics29Grace(t *testing.T) {
	for _, tt := range []struct {
		name     string
		shutdown time.Duration
		nested   bool
		needs    time.Duration
		took     time.Duration
		stuck    bool
	}{
		{"default, in time", 0, false, 5*time.Second - 1, 5*time.Second - 1, false},
		{"default, late", 0, false, 6 * time.Second, 5 * time.Second, true},
		{"given, in time", time.Minute, false, 59 * time.Second, 59 * time.Second, false},
		{"given, late", time.Minute, false, 61 * time.Second, time.Minute, true},
		{"shortest", 1, false, time.Second, 1, true},
		{"infinity", tree.Infinity, false, 10 * time.Hour, 10 * time.Hour, false},
		{"brutal", tree.Brutal, false, time.Second, 0, false},
		{"supervisor, default", 0, true, time.Hour, time.Hour, false},
		{"supervisor, given, in time", time.Minute, true, 59 * time.Second, 59 * time.Second, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				a := onStop(func(context.Context) error { time.Sleep(tt.needs); return nil })
				var svc actor.Service = a
				if tt.nested {
					svc = tree.Spec{Children: []tree.Child{{Name: "x", Service: a, Shutdown: tree.Infinity}}}
				}
				w := start(t, tree.Spec{Children: []tree.Child{{Name: "a", Service: svc, Shutdown: tt.shutdown}}})
				began := time.Now()
				err := w.TerminateChild(t.Context(), "root/a")
				require.Equal(t, tt.took, time.Since(began))
				if tt.stuck {
					require.ErrorIs(t, err, tree.ErrStuck)
				} else {
					require.NoError(t, err)
				}
				sleep(tt.needs)
			})
		})
	}
}

// 30. A child that fails on its own while the supervisor stops is reported, not
// restarted.
func TestSemantics30FailureWhileStopping(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := newPart(), newPart()
		c := onStop(func(context.Context) error { time.Sleep(time.Second); return nil })
		d := onStop(func(context.Context) error { panic("on the way out") })
		w := start(t, tree.Spec{Intensity: none, Children: kids(a, b, c, d)})
		w.news()
		stopped := later(func() error { _, err := w.Stop(context.Background()); return err })
		a.end(errBoom) // while c stops
		b.end(nil)
		require.NoError(t, <-stopped)
		require.Equal(t, []string{
			"root: supervisor ending, by request",
			"d: child ended, abnormal: panic: on the way out",
			"d: not restarted, by stopping: panic: on the way out",
			"a: child ended, abnormal: boom",
			"b: child ended, normal",
			"c: child ended, shutdown",
			"a: not restarted, by stopping: boom",
		}, w.story())
		require.NoError(t, w.ended())
	})
}

// 31. A stop asked for during start, during a delay, or during an ordered restart
// takes effect as soon as the current child operation is bounded: never deadlock,
// never start another child afterwards.
func TestSemantics31StopDuringStart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		w, done := background(t, ctx, tree.Spec{Children: kids(newPart(), announced{newPart()}, newPart())})
		require.Equal(t, "+a", w.life(), "b is never ready")
		cancel(errBoom)
		require.ErrorIs(t, <-done, errBoom)
		require.Equal(t, "-b -a", w.life())
	})
}

func TestSemantics31StopDuringDelay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newPart()
		spec := tree.Spec{Strategy: strategies.OneForAll, Children: kids(a, newPart())}
		spec.Children[0].Policy.Delay = time.Hour
		w := start(t, spec)
		w.news()
		a.end(errBoom)
		require.Equal(t, "-a -b", w.life())
		report, err := w.Stop(t.Context())
		require.NoError(t, err)
		require.Zero(t, report.Took)
		sleep(2 * time.Hour)
		require.Empty(t, w.life())
	})
}

func TestSemantics31StopDuringRestart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newPart()
		slow := onStop(func(context.Context) error { time.Sleep(time.Second); return nil })
		late := announced{onStart(func(ctx context.Context, n int) error {
			if n == 1 {
				actor.Ready(ctx)
			}
			return nil
		})}
		w := start(t, tree.Spec{Strategy: strategies.OneForAll, Children: kids(a, slow, newPart(), late, newPart())})
		w.news()
		a.end(errBoom)
		require.Equal(t, "-a -e -d -c", w.life())
		sleep(time.Second) // d's second start hangs now
		require.Equal(t, "-b +a2 +b2 +c2", w.life())
		w.stop()
		require.Equal(t, "-d2 -c2 -b2 -a2", w.life())
	})
	bubble(t, func(t *testing.T) {
		a := newPart()
		slow := onStop(func(context.Context) error { time.Sleep(time.Second); return nil })
		w := start(t, tree.Spec{Strategy: strategies.OneForAll, Children: kids(newPart(), a, newPart(), slow)})
		w.news()
		a.end(errBoom) // d is stopping now
		report, err := w.Stop(t.Context())
		require.NoError(t, err)
		require.Equal(t, time.Second, report.Took)
		require.Equal(t, "-b -d -c -a", w.life(), "in order, and nothing starts")
	})
}

// 32. The end of a supervisor reaches its parent as any child's end does; the
// root's end reaches Wait and Run.
func TestSemantics32EndClimbs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		x := newPart()
		low := tree.Spec{Intensity: none, Children: []tree.Child{{Name: "x", Service: x}}}
		mid := tree.Spec{Intensity: none, Children: []tree.Child{{Name: "low", Service: low}}}
		w, done := background(t, t.Context(), tree.Spec{Intensity: none, Children: []tree.Child{{Name: "mid", Service: mid}}})
		w.news()
		x.end(errBoom)
		err := <-done
		require.Equal(t, "-mid/low/x -mid/low -mid", w.life())
		require.ErrorIs(t, err, errBoom, "the cause is kept up to the root")
		for _, path := range []string{"root", "root/mid", "root/mid/low"} {
			var gave *tree.GaveUpError
			require.ErrorAs(t, err, &gave)
			require.Equal(t, path, gave.Path)
			err = gave.Err
		}
	})
}

// 33 is the stream of events: see api_events_test.go.

// The child in hand is the first to be asked, though it is the first of all: until it
// has ended or used up its grace the others run on.
func TestStopDuringRestartOfTheFirst(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := announced{onStart(func(ctx context.Context, n int) error {
			if n == 1 {
				actor.Ready(ctx)
			}
			return nil
		})}
		a.onStop = func(context.Context) error { time.Sleep(time.Second); return nil }
		w := start(t, tree.Spec{Intensity: unlimited, Children: kids(a, newPart(), newPart())})
		a.end(errBoom)
		require.Equal(t, "a starting, b running, c running", w.states("root"))
		w.news()
		stopped := later(func() error { _, err := w.Stop(context.Background()); return err })
		require.Equal(t, "a stopping, b running, c running", w.states("root"))
		require.NoError(t, <-stopped)
		require.Equal(t, "-a2 -c -b", w.life())
	})
}
