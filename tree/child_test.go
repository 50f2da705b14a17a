package tree_test

import (
	"bytes"
	"context"
	"errors"
	"runtime/pprof"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

// A panic of a child that is stopped because its start took too long is told.
func TestPanicAfterStartTimeout(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := announced{onStart(func(ctx context.Context, _ int) error { <-ctx.Done(); panic(errBoom) })}
		w := record(t)
		_, err := w.runner().Start(t.Context(), tree.Spec{Children: []tree.Child{{Name: "a", Service: a, StartTimeout: time.Second}}})
		require.ErrorIs(t, err, actor.ErrStartTimeout)
		require.ErrorIs(t, err, errBoom)
		var p *actor.PanicError
		require.ErrorAs(t, err, &p)
	})
}

// A child with a StartTimeout is waited for until it calls Ready.
func TestReadyInTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := onStart(func(ctx context.Context, _ int) error {
			time.Sleep(9 * time.Second)
			actor.Ready(ctx)
			actor.Ready(ctx) // only the first call counts
			return nil
		})
		w, _ := background(t, t.Context(), tree.Spec{Children: []tree.Child{
			{Name: "a", Service: a, StartTimeout: 10 * time.Second}, {Name: "b", Service: newPart()},
		}})
		require.Empty(t, w.life())
		sleep(9 * time.Second)
		require.Equal(t, "+a +b", w.life())
		sleep(time.Hour)
		require.Empty(t, w.life())
	})
}

// One that is too late has failed to start; it is asked to stop first, and told
// why.
func TestReadyTooLate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newPart()
		w := record(t)
		_, err := w.runner().Start(t.Context(), tree.Spec{Children: []tree.Child{{Name: "a", Service: a, StartTimeout: 10 * time.Second}}})
		require.ErrorIs(t, err, actor.ErrStartTimeout)
		require.ErrorIs(t, err, tree.ErrStartFailed)
		require.ErrorIs(t, a.lastCause(), actor.ErrUnhealthy)
		require.ErrorIs(t, a.lastCause(), actor.ErrStartTimeout)
	})
}

// Ready after the timeout, while it is being stopped, changes nothing.
func TestReadyWhileStopping(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := onStop(func(ctx context.Context) error {
			actor.Ready(ctx)
			time.Sleep(time.Second)
			actor.Ready(ctx)
			return nil
		})
		w := record(t)
		_, err := w.runner().Start(t.Context(), tree.Spec{Children: []tree.Child{{Name: "a", Service: a, StartTimeout: 10 * time.Second}}})
		require.ErrorIs(t, err, actor.ErrStartTimeout)
		require.NotContains(t, w.life(), "+a")
	})
}

// A failed restart by timeout is tried again as any other.
func TestReadyTimeoutOnRestart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := onStart(func(ctx context.Context, n int) error {
			if n != 2 {
				actor.Ready(ctx)
			}
			return nil
		})
		w := start(t, tree.Spec{Intensity: unlimited, Children: []tree.Child{{Name: "a", Service: a, StartTimeout: time.Second}}})
		a.end(errBoom)
		require.Equal(t, "a starting", w.states("root"))
		sleep(time.Second)
		require.Equal(t, "a running", w.states("root"))
		require.Equal(t, 3, w.node("root/a").Incarnation)
	})
}

// What an old incarnation left behind can no longer call for the new one.
func TestReadyFromOldIncarnation(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var old context.Context
		a := onStart(func(ctx context.Context, n int) error {
			if n == 1 {
				old = ctx
				actor.Ready(ctx)
			}
			return nil
		})
		w := start(t, tree.Spec{Children: []tree.Child{{Name: "a", Service: a, StartTimeout: time.Minute, Heartbeat: time.Hour}}})
		a.end(errBoom)
		require.Equal(t, "a starting", w.states("root"))
		actor.Ready(old)
		actor.Beat(old)
		actor.SetStatus(old, actor.Status{Text: "ghost"})
		require.Equal(t, "a starting", w.states("root"))
		require.Empty(t, w.node("root/a").Status)
		require.ErrorIs(t, context.Cause(old), actor.ErrEnded)
	})
}

// Infinity waits for ever, and so does an Announcer without a StartTimeout.
func TestReadyWithoutLimit(t *testing.T) {
	for _, child := range []func() tree.Child{
		func() tree.Child { return tree.Child{Name: "a", Service: newPart(), StartTimeout: tree.Infinity} },
		func() tree.Child { return tree.Child{Name: "a", Service: announced{newPart()}} },
	} {
		bubble(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			w, done := background(t, ctx, tree.Spec{Children: []tree.Child{child()}})
			sleep(1000 * time.Hour)
			require.Empty(t, w.life())
			cancel()
			require.ErrorIs(t, <-done, context.Canceled)
		})
	}
}

// A child that promised a beat and missed it is stopped and has failed.
func TestHeartbeatMissed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := onStart(func(ctx context.Context, n int) error {
			for i := 0; n == 1 && i < 5; i++ {
				time.Sleep(9 * time.Second)
				actor.Beat(ctx)
			}
			return nil
		})
		w := start(t, tree.Spec{Intensity: unlimited, Children: []tree.Child{
			{Name: "a", Service: a, Heartbeat: 10 * time.Second, Restart: strategies.Transient}, {Name: "b", Service: newPart()},
		}})
		w.news()
		sleep(55*time.Second - 1)
		require.Empty(t, w.life())
		sleep(1)
		events := w.news()
		require.Equal(t, tree.ChildEnded, events[0].Kind)
		require.Equal(t, tree.RestartPlanned, events[1].Kind)
		require.ErrorIs(t, events[1].Err, actor.ErrNoHeartbeat)
		require.Equal(t, tree.ChildStarted, events[3].Kind)
		require.ErrorIs(t, a.lastCause(), actor.ErrUnhealthy)
		require.ErrorIs(t, a.lastCause(), actor.ErrNoHeartbeat)
		require.Equal(t, 1, w.node("root").Used)
	})
}

// Beats are expected from ready on, not before.
func TestHeartbeatBeginsWithReady(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := onStart(func(ctx context.Context, n int) error {
			time.Sleep(time.Minute)
			actor.Ready(ctx)
			return nil
		})
		w := start(t, tree.Spec{Intensity: none, Children: []tree.Child{
			{Name: "a", Service: a, StartTimeout: time.Hour, Heartbeat: time.Second},
		}})
		require.Equal(t, "+a", w.life())
		sleep(time.Second)
		require.ErrorIs(t, w.ended(), actor.ErrNoHeartbeat)
	})
}

// One that misses its beat and does not end either is stuck.
func TestHeartbeatMissedAndStuck(t *testing.T) {
	bubble(t, func(t *testing.T) {
		release := make(chan struct{})
		a := onStop(func(context.Context) error { <-release; return nil })
		w := start(t, tree.Spec{Intensity: unlimited, Children: []tree.Child{
			{Name: "a", Service: a, Heartbeat: time.Second, Shutdown: time.Minute, Policy: strategies.Policy{Delay: time.Hour}},
		}})
		w.news()
		sleep(time.Second + time.Minute)
		require.Equal(t, []string{
			"a: child stuck: stuck: asked to stop and still running",
			"a: restart planned, 1 of -1, in 1h0m0s: heartbeat missed: none for 1s",
		}, w.story())
		require.Equal(t, 1, w.node("root/a").Stuck)
		close(release)
		require.Equal(t, []string{"a: late end, shutdown"}, w.story())
		require.Zero(t, w.node("root/a").Stuck)
		sleep(time.Hour)
		require.Equal(t, "+a2", w.life())
		require.NoError(t, w.TerminateChild(t.Context(), "root/a"))
	})
}

func TestSelf(t *testing.T) {
	bubble(t, func(t *testing.T) {
		type key struct{}
		var ids []actor.Identity
		x := onStart(func(ctx context.Context, _ int) error {
			id, ok := actor.Self(context.WithValue(ctx, key{}, "derived"))
			require.True(t, ok)
			ids = append(ids, id)
			return nil
		})
		start(t, tree.Spec{Name: "shop", Children: []tree.Child{
			{Name: "workers", Service: tree.Spec{Children: []tree.Child{{Name: "w 1", Service: x}}}},
		}})
		x.end(errBoom)
		require.Equal(t, []actor.Identity{{Path: "shop/workers/w 1", Incarnation: 1}, {Path: "shop/workers/w 1", Incarnation: 2}}, ids)
		_, ok := actor.Self(context.Background())
		require.False(t, ok)
	})
}

// A child reaches its tree.
func TestFrom(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newPart()
		w := start(t, tree.Spec{Children: kids(a)})
		tr, ok := tree.From(a.context())
		require.True(t, ok)
		require.Same(t, w.Tree, tr)
		_, ok = tree.From(context.Background())
		require.False(t, ok)
	})
}

// The context's cause says why a child is stopped.
func TestCauseOfStop(t *testing.T) {
	for _, tt := range []struct {
		name   string
		act    func(w *world, sibling *part)
		reason error
		path   string
		err    error
	}{
		{"stopping", func(w *world, _ *part) { w.stop() }, actor.ErrStopping, "root/sub", nil},
		{"sibling failed", func(_ *world, s *part) { s.end(errBoom) }, actor.ErrSiblingFailed, "root/sub/sibling", errBoom},
		{"removed", func(w *world, _ *part) { _ = w.TerminateChild(context.Background(), "root/sub/a") }, actor.ErrRemoved, "root/sub", nil},
		{"replaced", func(w *world, _ *part) { _ = w.ReplaceChild(context.Background(), "root/sub/a") }, actor.ErrReplaced, "root/sub", nil},
		{"supervisor removed", func(w *world, _ *part) { _ = w.TerminateChild(context.Background(), "root/sub") }, actor.ErrStopping, "root/sub", nil},
		{"supervisor gave up", func(_ *world, s *part) { s.end(actor.Escalate(errBoom)) }, actor.ErrStopping, "root/sub", errBoom},
		{"unhealthy", func(*world, *part) { sleep(time.Hour) }, actor.ErrUnhealthy, "root/sub", actor.ErrNoHeartbeat},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				a, sibling := newPart(), newPart()
				w := start(t, tree.Spec{Intensity: unlimited, Children: []tree.Child{{Name: "sub", Service: tree.Spec{
					Strategy: strategies.OneForAll, Intensity: unlimited,
					Children: []tree.Child{{Name: "a", Service: a, Heartbeat: time.Hour}, {Name: "sibling", Service: sibling}},
				}}}})
				tt.act(w, sibling)
				synctest.Wait()
				cause := a.lastCause()
				reasons := []error{actor.ErrStopping, actor.ErrSiblingFailed, actor.ErrRemoved, actor.ErrReplaced, actor.ErrUnhealthy, actor.ErrEnded}
				for _, r := range reasons {
					require.Equal(t, r == tt.reason, errors.Is(cause, r), "%v: exactly one reason", cause)
				}
				var sc *actor.StopCause
				require.ErrorAs(t, cause, &sc)
				require.Equal(t, tt.path, sc.Path)
				if tt.err == nil {
					require.NoError(t, sc.Err)
				} else {
					require.ErrorIs(t, cause, tt.err)
				}
			})
		})
	}
}

// What a child left behind sees its context end with it.
func TestCauseAfterEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newPart()
		start(t, tree.Spec{Children: kids(a)})
		ctx := a.context()
		a.end(nil)
		require.ErrorIs(t, ctx.Err(), context.Canceled)
		require.ErrorIs(t, context.Cause(ctx), actor.ErrEnded)
	})
}

// The values of the context given to Run are the child's; its deadline is not.
func TestContextValues(t *testing.T) {
	bubble(t, func(t *testing.T) {
		type key struct{}
		ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, "v"), time.Hour)
		defer cancel()
		a := onStop(func(context.Context) error { time.Sleep(time.Second); return nil })
		_, done := background(t, ctx, tree.Spec{
			Children: []tree.Child{
				{Name: "sub", Service: tree.Spec{Children: kids(a)}},
			},
		})
		require.Equal(t, "v", a.context().Value(key{}))
		_, has := a.context().Deadline()
		require.False(t, has)
		sleep(time.Hour)
		require.True(t, pending(done), "a has its grace")
		sleep(time.Second)
		require.NoError(t, <-done)
		require.ErrorIs(t, a.lastCause(), actor.ErrStopping)
	})
}

// Killed is closed when the grace is over, at once under a brutal stop, and not
// otherwise.
func TestKilled(t *testing.T) {
	for _, tt := range []struct {
		shutdown, after time.Duration
	}{{10 * time.Second, 10 * time.Second}, {tree.Brutal, 0}} {
		bubble(t, func(t *testing.T) {
			var took time.Duration
			a := onStop(func(ctx context.Context) error {
				asked := time.Now()
				<-actor.Killed(ctx)
				took = time.Since(asked)
				return nil
			})
			w := start(t, tree.Spec{Children: []tree.Child{{Name: "a", Service: killable{a}, Shutdown: tt.shutdown}}})
			w.stop()
			require.Equal(t, tt.after, took)
			require.Equal(t, "+a -a", w.life())
		})
	}
	bubble(t, func(t *testing.T) {
		a := newPart()
		w := start(t, tree.Spec{Children: kids(a)})
		killed := actor.Killed(a.context())
		w.stop()
		require.True(t, pending(killed))
		require.Nil(t, actor.Killed(context.Background()))
	})
}

type killable struct{ *part }

func (killable) Killable() bool { return true }

// The goroutines of a child, also those that it starts itself, are found in a
// profile by its path.
func TestProfileLabels(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := onStart(func(ctx context.Context, _ int) error {
			label, _ := pprof.Label(ctx, tree.LabelPath)
			require.Equal(t, "shop/a", label)
			label, _ = pprof.Label(ctx, tree.LabelIncarnation)
			require.Equal(t, "2", label)
			go labelledHelper(ctx)
			return nil
		})
		w := start(t, tree.Spec{Name: "shop", Children: kids(newPart())})
		require.NoError(t, w.StartChild(t.Context(), "shop", tree.Child{Name: "sub", Service: tree.Spec{}}))
		require.NoError(t, w.TerminateChild(t.Context(), "shop/a"))
		require.NoError(t, w.DeleteChild(t.Context(), "shop/a"))
		first := onStart(func(ctx context.Context, n int) error {
			if n == 1 {
				return errBoom
			}
			return a.onRun(ctx, n)
		})
		require.NoError(t, w.StartChild(t.Context(), "shop", tree.Child{Name: "a", Service: first}))
		synctest.Wait()
		var b bytes.Buffer
		require.NoError(t, pprof.Lookup("goroutine").WriteTo(&b, 1))
		for _, f := range []string{"tree_test.labelledHelper", "tree_test.(*part).Serve"} {
			require.True(t, labelled(b.String(), f, `"tree.path":"shop/a"`, `"tree.incarnation":"2"`), "%s in %s", f, b.String())
		}
	})
}

func labelledHelper(ctx context.Context) { <-ctx.Done() }

// labelled tells whether a record of the profile has all the words.
func labelled(profile string, words ...string) bool {
	for record := range strings.SplitSeq(profile, "\n\n") {
		found := true
		for _, w := range words {
			found = found && strings.Contains(record, w)
		}
		if found {
			return true
		}
	}
	return false
}
