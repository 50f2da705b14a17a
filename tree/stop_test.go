package tree_test

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"weak"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

// forced is the most that a forced stop takes beyond its bound: what is killed is
// given a moment to end.
const forced = 2 * time.Second

// A stop is bounded by its context's deadline, whatever the children's graces.
func TestStopBoundedByDeadline(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, x := newDeaf(1), newDeaf(1)
		w := start(t, tree.Spec{Name: "shop", Children: []tree.Child{
			{Name: "a", Service: a, Shutdown: tree.Infinity},
			{Name: "sub", Service: tree.Spec{Children: []tree.Child{{Name: "x", Service: x, Shutdown: time.Hour}}}},
			{Name: "b", Service: newPart()},
		}})
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		began := time.Now()
		report, err := w.Stop(ctx)
		took := time.Since(began)
		require.GreaterOrEqual(t, took, 30*time.Second)
		require.LessOrEqual(t, took, 30*time.Second+forced)
		require.ErrorIs(t, err, tree.ErrStuck)
		require.ErrorContains(t, err, "shop/a (incarnation 1), shop/sub/x (incarnation 1)")
		require.Len(t, report.Stuck, 2)
		for i, path := range []string{"shop/a", "shop/sub/x"} {
			require.Equal(t, path, report.Stuck[i].Path)
			require.Contains(t, report.Stuck[i].Stack, "doesNotHear")
			require.Contains(t, report.Stuck[i].Stack, `"tree.path":"`+path+`"`)
		}
		require.ErrorIs(t, w.Wait(t.Context()), tree.ErrStuck, "Wait says so too")
		again, ok := w.Report()
		require.True(t, ok)
		require.Equal(t, report, again)
		a.free()
		x.free()
	})
}

// Without a deadline Runner.StopTimeout is the bound; so it is for a tree that
// stops because its context has ended.
func TestStopBoundedByStopTimeout(t *testing.T) {
	for name, stop := range map[string]func(tr *tree.Tree, cancel func()){
		"Stop":   func(tr *tree.Tree, _ func()) { _, _ = tr.Stop(context.Background()) },
		"cancel": func(tr *tree.Tree, cancel func()) { cancel(); <-tr.Done() },
	} {
		for _, tt := range []struct{ timeout, want time.Duration }{{0, tree.DefaultStopTimeout}, {time.Minute, time.Minute}} {
			t.Run(name+"/"+tt.timeout.String(), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					a := newDeaf(1)
					r := record(t).runner()
					r.StopTimeout = tt.timeout
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					tr, err := r.Start(ctx, tree.Spec{Children: []tree.Child{{Name: "a", Service: a, Shutdown: tree.Infinity}}})
					require.NoError(t, err)
					began := time.Now()
					stop(tr, cancel)
					require.GreaterOrEqual(t, time.Since(began), tt.want)
					require.LessOrEqual(t, time.Since(began), tt.want+forced)
					require.ErrorIs(t, tr.Wait(t.Context()), tree.ErrStuck)
					a.free()
				})
			})
		}
	}
}

// Infinity is no bound.
func TestStopUnbounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := record(t).runner()
		r.StopTimeout = tree.Infinity
		a := onStop(func(context.Context) error { time.Sleep(1000 * time.Hour); return nil })
		tr, err := r.Start(t.Context(), tree.Spec{Children: []tree.Child{{Name: "a", Service: a, Shutdown: tree.Infinity}}})
		require.NoError(t, err)
		report, err := tr.Stop(context.Background())
		require.NoError(t, err)
		require.Equal(t, 1000*time.Hour, report.Took)
	})
}

// A cancelled context forces the stop at once: what ends when asked has ended in
// order as ever.
func TestStopWithCancelledContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newDeaf(1)
		w := start(t, tree.Spec{Children: []tree.Child{{Name: "a", Service: a, Shutdown: time.Hour}, {Name: "b", Service: newPart()}}})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		began := time.Now()
		report, err := w.Stop(ctx)
		require.LessOrEqual(t, time.Since(began), forced)
		require.ErrorIs(t, err, tree.ErrStuck)
		require.Len(t, report.Stuck, 1, "b has ended")
		a.free()
	})
}

// Cancelling the context of a Stop in progress forces it.
func TestStopThenCancel(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newDeaf(1)
		w := start(t, tree.Spec{Children: []tree.Child{{Name: "a", Service: a, Shutdown: time.Hour}}})
		ctx, cancel := context.WithCancel(t.Context())
		stopped := later(func() error { _, err := w.Stop(ctx); return err })
		sleep(time.Second)
		require.True(t, pending(stopped))
		cancel()
		sleep(forced)
		require.ErrorIs(t, <-stopped, tree.ErrStuck)
		a.free()
	})
}

// Stop may be called more than once and from many goroutines; all see the same
// report, also after the end.
func TestStopMoreThanOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := start(t, tree.Spec{Children: kids(
			newPart(), onStop(func(context.Context) error { time.Sleep(time.Second); return nil }), newPart(),
		)})
		w.news()
		reports := make([]tree.Report, 50)
		var wg sync.WaitGroup
		for i := range reports {
			wg.Go(func() {
				var err error
				reports[i], err = w.Stop(context.Background())
				require.NoError(t, err)
			})
		}
		wg.Wait()
		for _, r := range reports {
			require.Equal(t, tree.Report{Took: time.Second}, r)
		}
		require.Equal(t, "-c -b -a", w.life())
		again, err := w.Stop(context.Background())
		require.NoError(t, err)
		require.Equal(t, reports[0], again)
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		again, err = w.Stop(cancelled)
		require.NoError(t, err)
		require.Equal(t, reports[0], again)
	})
}

// A context that has ended already starts nothing.
func TestStartWithCancelledContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errBoom)
		w := record(t)
		_, err := w.runner().Start(ctx, tree.Spec{Children: kids(newPart())})
		require.ErrorIs(t, err, errBoom)
		require.ErrorIs(t, w.runner().Run(ctx, tree.Spec{Children: kids(newPart())}), errBoom)
		require.Empty(t, w.news())
	})
}

// A tree that is stopped by its context ends well.
func TestRunUntilCancelled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w, done := background(t, ctx, tree.Spec{Children: kids(newPart(), newPart())})
		cancel()
		require.NoError(t, <-done)
		require.Equal(t, "+a +b -b -a", w.life())
	})
}

// A stop while a child of a nested supervisor starts: it is asked, its grace is
// its bound, and nothing starts after it.
func TestStopDuringNestedStart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		slow := onStop(func(context.Context) error { time.Sleep(3 * time.Second); return nil })
		ctx, cancel := context.WithCancel(t.Context())
		w, done := background(t, ctx, tree.Spec{Children: []tree.Child{
			{Name: "a", Service: newPart()},
			{Name: "sub", Service: tree.Spec{Children: []tree.Child{
				{Name: "x", Service: newPart()}, {Name: "y", Service: announced{slow}}, {Name: "z", Service: newPart()},
			}}},
			{Name: "b", Service: newPart()},
		}})
		cancel()
		sleep(3 * time.Second)
		require.ErrorIs(t, <-done, context.Canceled)
		require.Equal(t, "+a +sub/x -sub/y -sub/x -sub -a", w.life())
	})
}

// An end that was asked for is a shutdown, for a supervisor that was starting too.
func TestStopDuringNestedStartIsShutdown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w, done := background(t, ctx, tree.Spec{Children: []tree.Child{
			{Name: "sub", Service: tree.Spec{Children: []tree.Child{{Name: "y", Service: announced{newPart()}}}}},
		}})
		cancel()
		<-done
		for _, e := range w.news() {
			if e.Kind == tree.ChildEnded {
				require.Equal(t, actor.ClassShutdown, e.Class, e.Path)
			}
		}
	})
}

// A failure stays the tree's error, whatever it wraps and whoever asks for a stop
// meanwhile.
func TestStopDoesNotReplaceTheError(t *testing.T) {
	slow := func() actor.Service {
		return onStop(func(context.Context) error { time.Sleep(3 * time.Second); return nil })
	}
	failure := fmt.Errorf("asking: %w", tree.ErrSupervisorStopped)
	bubble(t, func(t *testing.T) {
		a := newPart()
		ctx, cancel := context.WithCancel(t.Context())
		_, done := background(t, ctx, tree.Spec{Intensity: none, Children: kids(slow(), a)})
		a.end(failure)
		cancel()
		require.ErrorIs(t, <-done, tree.ErrGaveUp)
	})
	bubble(t, func(t *testing.T) {
		a := announced{newPart()}
		ctx, cancel := context.WithCancel(t.Context())
		_, done := background(t, ctx, tree.Spec{Children: kids(slow(), a)})
		a.end(failure)
		cancel()
		require.ErrorIs(t, <-done, tree.ErrStartFailed)
	})
}

// A stop that comes when the tree has just ended by itself is none.
func TestStopAfterTheEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newPart()
		ctx, cancel := context.WithCancel(t.Context())
		w, done := background(t, ctx, tree.Spec{Intensity: none, Children: kids(a)})
		tr, _ := tree.From(a.context())
		stopped := make(chan tree.Report)
		go func() {
			time.Sleep(500 * time.Millisecond) // nothing has told this goroutine of the end
			r, _ := tr.Stop(context.Background())
			stopped <- r
		}()
		a.do <- func() error { return fmt.Errorf("asking: %w", tree.ErrSupervisorStopped) }
		require.Zero(t, (<-stopped).Took)
		require.ErrorIs(t, <-done, tree.ErrGaveUp)
		cancel()
		require.NotEmpty(t, w.news())
	})
}

// Nor does it keep anything of a tree that is over.
func TestStopAfterTheEndKeepsNothing(t *testing.T) {
	ended := func() weak.Pointer[tree.Tree] {
		a := actor.Func(func(context.Context) error { return nil })
		tr, err := tree.Runner{Logger: slog.New(slog.DiscardHandler)}.Start(t.Context(), tree.Spec{AutoShutdown: tree.AnySignificant, Children: []tree.Child{
			{Name: "a", Service: a, Restart: strategies.Transient, Significant: true},
		}})
		require.NoError(t, err)
		require.NoError(t, tr.Wait(t.Context()))
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, err = tr.Stop(ctx)
		require.NoError(t, err)
		_, err = tr.Stop(context.Background())
		require.NoError(t, err)
		return weak.Make(tr)
	}()
	require.Eventually(t, func() bool { runtime.GC(); return ended.Value() == nil }, 5*time.Second, time.Millisecond)
}

// Everything may be called after the end.
func TestAfterTheEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := start(t, tree.Spec{Children: []tree.Child{{Name: "a", Service: newPart()}, {Name: "sub", Service: tree.Spec{Children: kids(newPart())}}}})
		w.stop()
		ctx := t.Context()
		child := tree.Child{Name: "n", Service: newPart()}
		for _, path := range []string{"root", "root/sub"} {
			require.ErrorIs(t, w.StartChild(ctx, path, child), tree.ErrSupervisorStopped)
			require.ErrorIs(t, w.TerminateChild(ctx, path+"/a"), tree.ErrSupervisorStopped)
			require.ErrorIs(t, w.RestartChild(ctx, path+"/a"), tree.ErrSupervisorStopped)
			require.ErrorIs(t, w.ReplaceChild(ctx, path+"/a"), tree.ErrSupervisorStopped)
			require.ErrorIs(t, w.DeleteChild(ctx, path+"/a"), tree.ErrSupervisorStopped)
			_, err := w.StartInstance(ctx, path, nil)
			require.ErrorIs(t, err, tree.ErrSupervisorStopped)
			_, err = w.WhichChildren(ctx, path)
			require.ErrorIs(t, err, tree.ErrSupervisorStopped)
			_, err = w.CountChildren(ctx, path)
			require.ErrorIs(t, err, tree.ErrSupervisorStopped)
		}
		n, err := w.Snapshot(ctx)
		require.NoError(t, err)
		require.Equal(t, tree.Down, n.State)
		require.Len(t, n.Children, 2, "the last state is kept")
		_, open := <-w.Subscribe(1).C
		require.False(t, open)
		require.NoError(t, w.Wait(ctx))
		_, ok := w.Report()
		require.True(t, ok)
	})
}

// Wait is bounded by its context, and says why; the tree runs on.
func TestWaitIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := start(t, tree.Spec{Children: kids(newPart())})
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errBoom)
		defer cancel()
		require.ErrorIs(t, w.Wait(ctx), errBoom)
		w.requireAlive()
		_, ok := w.Report()
		require.False(t, ok)
	})
}

// A stop in whatever moment of a busy life ends the tree, and nothing is left.
func TestStopAtAnyMoment(t *testing.T) {
	for at := range 60 {
		bubble(t, func(t *testing.T) {
			restless := func(d time.Duration) actor.Service {
				return actor.Func(func(ctx context.Context) error {
					time.Sleep(d / 4)
					actor.Ready(ctx)
					select {
					case <-time.After(d):
						return errBoom
					case <-ctx.Done():
						time.Sleep(d / 10)
						return nil
					}
				})
			}
			child := func(name string, d time.Duration, delay time.Duration) tree.Child {
				return tree.Child{Name: name, Service: restless(d), StartTimeout: time.Minute, Shutdown: time.Minute, Policy: strategies.Policy{Delay: delay}}
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			w, done := background(t, ctx, tree.Spec{Strategy: strategies.RestForOne, Intensity: unlimited, Children: []tree.Child{
				child("a", 17*time.Second, 0),
				child("b", 11*time.Second, time.Second),
				{Name: "sub", Service: tree.Spec{Strategy: strategies.OneForAll, Intensity: strategies.Intensity{Max: 1}, Children: []tree.Child{
					child("x", 5*time.Second, 0), child("y", 7*time.Second, 2*time.Second),
				}}},
				child("c", 3*time.Second, 0),
			}})
			sleep(time.Duration(at) * 1997 * time.Millisecond)
			w.news()
			cancel(errBoom)
			if err := <-done; err != nil {
				require.ErrorIs(t, err, errBoom, "it was starting")
			}
			for _, e := range w.news() {
				started := e.Kind == tree.ChildStarted && strings.Count(e.Path, "/") == 1
				require.False(t, started, "a child of a supervisor that is stopping: %v", e)
			}
		})
	}
}
