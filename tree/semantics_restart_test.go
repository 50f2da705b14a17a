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

// 10. one-for-one: only the failed child.
func TestSemantics10OneForOne(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newPart()
		w := start(t, tree.Spec{Children: kids(newPart(), b, newPart())})
		w.news()
		b.end(errBoom)
		require.Equal(t, []string{
			"b: child ended, abnormal: boom",
			"b: restart planned, 1 of 1: boom",
			"b2: child started",
		}, w.story())
	})
}

// 11. one-for-all: all others are stopped in reverse start order, then all
// present children start in order: also those that were without an incarnation
// before. Temporary ones are stopped and dropped.
func TestSemantics11OneForAll(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newPart()
		spec := tree.Spec{Strategy: strategies.OneForAll, Children: kids(newPart(), b, newPart(), newPart(), newPart())}
		spec.Children[3].Restart = strategies.Temporary
		w := start(t, spec)
		require.NoError(t, w.TerminateChild(t.Context(), "root/e"))
		w.news()
		b.end(errBoom)
		require.Equal(t, "-b -d -c -a +a2 +b2 +c2 +e2", w.life())
		require.Equal(t, "a running, b running, c running, e running", w.states("root"))
	})
}

// 12. rest-for-one: the same for the range from the failed one to the last;
// earlier ones are not touched.
func TestSemantics12RestForOne(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newPart()
		spec := tree.Spec{Strategy: strategies.RestForOne, Children: kids(newPart(), b, newPart(), newPart(), newPart())}
		spec.Children[3].Restart = strategies.Temporary
		w := start(t, spec)
		require.NoError(t, w.TerminateChild(t.Context(), "root/e"))
		require.NoError(t, w.TerminateChild(t.Context(), "root/a"))
		w.news()
		b.end(errBoom)
		require.Equal(t, "-b -d -c +b2 +c2 +e2", w.life())
		require.Equal(t, "a down, b running, c running, e running", w.states("root"))
	})
}

// 13. dynamic (simple-one-for-one): all children from one template; stopping them
// is concurrent, without order.
func TestSemantics13Dynamic(t *testing.T) {
	bubble(t, func(t *testing.T) {
		slow := func(arg any) (actor.Service, error) {
			return onStop(func(context.Context) error {
				time.Sleep(arg.(time.Duration))
				return nil
			}), nil
		}
		w := start(t, tree.Spec{Template: &tree.Template{New: slow}})
		for _, d := range []time.Duration{3 * time.Second, time.Second, 2 * time.Second} {
			_, err := w.StartInstance(t.Context(), "root", d)
			require.NoError(t, err)
		}
		require.Equal(t, "+#1 +#2 +#3", w.life())
		report, err := w.Stop(t.Context())
		require.NoError(t, err)
		require.Equal(t, "-#2 -#3 -#1", w.life())
		require.Equal(t, 3*time.Second, report.Took, "the longest, not the sum")
	})
}

// 14. A restart that fails is tried again; each try counts as a restart. While
// tries are pending the child is restarting.
func TestSemantics14RestartFails(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := onStart(func(ctx context.Context, n int) error {
			if n == 2 || n == 3 {
				return errBoom
			}
			actor.Ready(ctx)
			return nil
		})
		w := start(t, tree.Spec{
			Intensity: strategies.Intensity{Max: 3},
			Children:  []tree.Child{{Name: "a", Service: announced{a}, Policy: strategies.Policy{Delay: time.Second}}},
		})
		w.news()
		a.end(errBoom)
		require.Equal(t, "a restarting", w.states("root"))
		sleep(time.Second)
		require.Equal(t, "a restarting", w.states("root"))
		sleep(2 * time.Second)
		require.Equal(t, []string{
			"a: child ended, abnormal: boom",
			"a: restart planned, 1 of 3, in 1s: boom",
			"a2: start failed: boom",
			"a2: restart planned, 2 of 3, in 1s: boom",
			"a3: start failed: boom",
			"a3: restart planned, 3 of 3, in 1s: boom",
			"a4: child started",
		}, w.story())
		require.Equal(t, "a running", w.states("root"))
	})
}

// failingOnce fails to start the second time.
func failingOnce() announced {
	return announced{onStart(func(ctx context.Context, n int) error {
		if n == 2 {
			return errBoom
		}
		actor.Ready(ctx)
		return nil
	})}
}

// 15. When child X fails to start within a group restart, X is restarting, those
// after X stay down, those before X run on until the next try, which is a new
// group restart from X's point of view: in one-for-all everything again, in
// rest-for-one from X on.
func TestSemantics15GroupRestartFails(t *testing.T) {
	for _, tt := range []struct {
		strategy strategies.Strategy
		retry    string
	}{
		{strategies.OneForAll, "-b2 -a2 +a3 +b3 +c3 +d2"},
		{strategies.RestForOne, "+c3 +d2"},
	} {
		t.Run(tt.strategy.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				a := newPart()
				spec := tree.Spec{Strategy: tt.strategy, Intensity: unlimited, Children: kids(a, newPart(), failingOnce(), newPart())}
				spec.Children[2].Policy.Delay = time.Minute
				w := start(t, spec)
				w.news()

				a.end(errBoom)
				require.Equal(t, "-a -d -c -b +a2 +b2 !c2", w.life())
				require.Equal(t, "a running, b running, c restarting, d down", w.states("root"))

				sleep(time.Minute)
				require.Equal(t, tt.retry, w.life())
			})
		})
	}
}

// The retry queues behind whatever is waiting already; if X is no longer
// restarting when its turn comes, it is dropped.
func TestSemantics15RetryQueues(t *testing.T) {
	bubble(t, func(t *testing.T) {
		trying := make(chan struct{})
		b := announced{onStart(func(ctx context.Context, n int) error {
			if n == 2 {
				<-trying
				return errBoom
			}
			actor.Ready(ctx)
			return nil
		})}
		w := start(t, tree.Spec{Strategy: strategies.OneForAll, Intensity: unlimited, Children: kids(newPart(), b, newPart())})
		w.news()
		b.end(errBoom) // b's second start now hangs
		asked := later(func() error { return w.TerminateChild(t.Context(), "root/b") })
		require.True(t, pending(asked))
		close(trying)
		require.NoError(t, <-asked)
		require.Equal(t, "-b -c -a +a2 !b2", w.life(), "the request came first and cancelled the retry")
		require.Equal(t, "a running, b down, c down", w.states("root"))
	})
}

// The child whose failure began it is down too if the group restart fails before
// its turn.
func TestSemantics15OriginStaysDown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newPart()
		spec := tree.Spec{Strategy: strategies.OneForAll, Intensity: unlimited, Children: kids(failingOnce(), b)}
		spec.Children[0].Policy.Delay = time.Hour
		w := start(t, spec)
		b.end(errBoom)
		require.Equal(t, "a restarting, b down", w.states("root"))
		require.NoError(t, w.TerminateChild(t.Context(), "root/a"), "which cancels the retry")
		require.Equal(t, "a down, b down", w.states("root"))
		require.NoError(t, w.RestartChild(t.Context(), "root/b"))
	})
}

// 16. A restart is counted before it is done. If more than Max restarts fall
// within Within (both ends included), the supervisor stops all children in
// reverse order and ends with reason shutdown.
func TestSemantics16Intensity(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newPart()
		w := start(t, tree.Spec{
			Intensity: strategies.Intensity{Max: 2, Within: 10 * time.Second},
			Children:  kids(newPart(), b, newPart()),
		})
		b.end(errBoom)
		sleep(5 * time.Second)
		b.end(errBoom)
		sleep(5*time.Second + time.Nanosecond) // the first has just left the window
		b.end(errBoom)
		w.requireAlive()
		w.news()

		sleep(5*time.Second - 1) // ten seconds after the second, still in it
		b.end(errBoom)
		err := w.ended()
		require.Equal(t, []string{
			"b4: child ended, abnormal: boom",
			"b4: gave up, by intensity: boom",
			"root: supervisor ending, by intensity: boom",
			"c: child ended, shutdown: context canceled",
			"a: child ended, shutdown: context canceled",
		}, w.story(), "b is not started again first")
		require.ErrorIs(t, err, errBoom)
		require.ErrorIs(t, err, tree.ErrGaveUp)
		var gave *tree.GaveUpError
		require.ErrorAs(t, err, &gave)
		require.Equal(t, "root", gave.Path)
		require.Equal(t, "root/b", gave.Child)
		require.Equal(t, tree.RuleIntensity, gave.Rule)
		require.Equal(t, 3, gave.Used)
	})
}

// 17. One failure counts once, however many siblings it takes along.
func TestSemantics17GroupCountsOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newPart()
		w := start(t, tree.Spec{Strategy: strategies.OneForAll, Intensity: strategies.Intensity{Max: 1}, Children: kids(a, newPart(), newPart())})
		a.end(errBoom)
		require.Equal(t, 1, w.node("root").Used)
		w.requireAlive()
		require.Equal(t, 1, w.node("root/a").Restarts)
	})
}

// 18. So a transient supervisor that exceeded its limit is not restarted by its
// parent, a permanent one is, and that restart counts in the parent.
func TestSemantics18SupervisorGivesUp(t *testing.T) {
	for _, tt := range []struct {
		restart  strategies.Restart
		restarts bool
		kept     string
	}{
		{strategies.Permanent, true, "sub running"},
		{strategies.Transient, false, "sub down"},
		{strategies.Temporary, false, ""},
	} {
		t.Run(tt.restart.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				x := newPart()
				w := start(t, tree.Spec{Intensity: strategies.Intensity{Max: 5}, Children: []tree.Child{{
					Name: "sub", Restart: tt.restart,
					Service: tree.Spec{Intensity: none, Children: []tree.Child{{Name: "x", Service: x}, {Name: "y", Service: newPart()}}},
				}}})
				w.news()
				x.end(errBoom)
				if tt.restarts {
					require.Equal(t, "-sub/x -sub/y -sub +sub/x2 +sub/y2 +sub2", w.life())
					require.Equal(t, 1, w.node("root").Used)
				} else {
					require.Equal(t, "-sub/x -sub/y -sub", w.life())
					require.Zero(t, w.node("root").Used)
				}
				require.Equal(t, tt.kept, w.states("root"))
			})
		})
	}
}

// The end of a supervisor that gave up is a shutdown with a reason.
func TestSemantics18GivingUpIsShutdown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		x := newPart()
		w := start(t, tree.Spec{Children: []tree.Child{{
			Name: "sub", Restart: strategies.Transient, Service: tree.Spec{Intensity: none, Children: []tree.Child{{Name: "x", Service: x}}},
		}}})
		x.end(errBoom)
		for _, e := range w.news() {
			if e.Kind == tree.ChildEnded && e.Path == "root/sub" {
				require.Equal(t, actor.ClassShutdown, e.Class)
				require.ErrorIs(t, e.Err, errBoom)
				return
			}
		}
		t.Fatal("sub has not ended")
	})
}

// 19. Max 0: the first failure ends the supervisor. Unlimited is expressible.
func TestSemantics19Extremes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newPart()
		w := start(t, tree.Spec{Intensity: none, Children: kids(a)})
		a.end(nil)
		require.ErrorIs(t, w.ended(), tree.ErrGaveUp, "a permanent child that is done counts too")
	})
	bubble(t, func(t *testing.T) {
		a := newPart()
		w := start(t, tree.Spec{Intensity: unlimited, Children: kids(a)})
		for range 500 {
			a.end(errBoom)
		}
		w.requireAlive()
		require.Equal(t, 501, w.node("root/a").Incarnation)
	})
}

// The zero Intensity is OTP's: 1 within 5 s.
func TestSemantics19Default(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newPart()
		w := start(t, tree.Spec{Children: kids(a)})
		a.end(errBoom)
		sleep(5*time.Second + time.Nanosecond)
		a.end(errBoom)
		w.requireAlive()
		sleep(5 * time.Second)
		a.end(errBoom)
		require.ErrorIs(t, w.ended(), errBoom)
	})
}

// 20. With a delay or backoff the count happens at the failure, the start after
// the delay; a stop or a request meanwhile is answered at once and cancels the
// wait.
func TestSemantics20Delay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newPart()
		w := start(t, tree.Spec{
			Intensity: strategies.Intensity{Max: 1, Within: time.Minute},
			Children:  []tree.Child{{Name: "a", Service: a, Policy: strategies.Policy{Delay: 10 * time.Second}}, {Name: "b", Service: newPart()}},
		})
		w.news()
		a.end(errBoom)
		require.Equal(t, 1, w.node("root").Used)
		require.Equal(t, "a restarting, b running", w.states("root"))
		sleep(10*time.Second - 1)
		require.Equal(t, "-a", w.life())
		sleep(1)
		require.Equal(t, "+a2", w.life())
	})
}

func TestSemantics20RequestCancelsDelay(t *testing.T) {
	delayed := func(a *part) tree.Spec {
		return tree.Spec{Intensity: unlimited, Children: []tree.Child{{Name: "a", Service: a, Policy: strategies.Policy{Delay: time.Hour}}}}
	}
	for _, tt := range []struct {
		name  string
		act   func(w *world) error
		then  string
		state string
	}{
		{"terminate", func(w *world) error { return w.TerminateChild(context.Background(), "root/a") }, "", "a down"},
		{"replace", func(w *world) error { return w.ReplaceChild(context.Background(), "root/a") }, "+a2", "a running"},
		{"stop", func(w *world) error { _, err := w.Stop(context.Background()); return err }, "", "a down"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				a := newPart()
				w := start(t, delayed(a))
				a.end(errBoom)
				w.news()
				began := time.Now()
				require.NoError(t, tt.act(w))
				require.Zero(t, time.Since(began), "at once")
				sleep(2 * time.Hour)
				require.Equal(t, tt.then, w.life())
				n, err := w.Snapshot(t.Context())
				require.NoError(t, err)
				require.Equal(t, tt.state, "a "+n.Children[0].State.String())
			})
		})
	}
}

// A normal end can be one too many as well, and then there is no error to name.
func TestSemantics19NormalEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newPart()
		w := start(t, tree.Spec{Intensity: none, Children: kids(a)})
		a.end(nil)
		err := w.ended()
		require.ErrorIs(t, err, tree.ErrGaveUp)
		require.EqualError(t, err, "root gave up (more restarts than 0 in 1s): root/a has ended")
	})
}
