package tree_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

// Paths that lead nowhere.
func TestRequestPaths(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := start(t, tree.Spec{Children: []tree.Child{
			{Name: "a", Service: newPart()},
			{Name: "sub", Service: tree.Spec{Children: kids(newPart())}},
			{Name: "down", Service: tree.Spec{}},
		}})
		require.NoError(t, w.TerminateChild(t.Context(), "root/down"))
		long := strings.Repeat("/", 10<<20)
		for path, want := range map[string]error{
			long:          tree.ErrNotFound,
			"root" + long: tree.ErrNotFound,
			"":            tree.ErrNotFound,
			"/":           tree.ErrNotFound,
			"root":        tree.ErrNotFound, // the root is nobody's child
			"root/":       tree.ErrNotFound,
			"/root/a":     tree.ErrNotFound,
			"shop/a":      tree.ErrNotFound,
			"root/x":      tree.ErrNotFound,
			"root/x/y":    tree.ErrNotFound,
			"root/sub/x":  tree.ErrNotFound,
			"root/a/x":    tree.ErrNotSupervisor,
			"root/down/x": tree.ErrSupervisorStopped,
		} {
			require.ErrorIs(t, w.TerminateChild(t.Context(), path), want, path)
			if path != "root" {
				_, err := w.Find(t.Context(), path)
				require.ErrorIs(t, err, want, path)
			}
		}
		child := tree.Child{Name: "n", Service: newPart()}
		require.ErrorIs(t, w.StartChild(t.Context(), "root/a", child), tree.ErrNotSupervisor)
		require.ErrorIs(t, w.StartChild(t.Context(), "root/x", child), tree.ErrNotFound)
		require.ErrorIs(t, w.StartChild(t.Context(), "root/down", child), tree.ErrSupervisorStopped)
		require.NoError(t, w.StartChild(t.Context(), "root/sub", child))
		require.Nil(t, w.PID("root/x"))
		require.EqualError(t, w.RestartChild(t.Context(), "root/x"), "restart child root/x: not found")
	})
}

// busy is a tree whose supervisor takes an hour over an ordered stop.
func busy(t *testing.T) *world {
	t.Helper()
	a, slow := newPart(), newPart()
	var once sync.Once
	slow.onStop = func(context.Context) error {
		once.Do(func() { time.Sleep(time.Hour) })
		return nil
	}
	w := start(t, tree.Spec{Strategy: strategies.OneForAll, Intensity: unlimited, Children: []tree.Child{
		{Name: "a", Service: a}, {Name: "b", Service: slow, Shutdown: 2 * time.Hour}, {Name: "c", Service: newPart(), Restart: strategies.Transient},
	}})
	a.end(errBoom)
	require.True(t, w.node("root").Busy)
	return w
}

// A request whose ctx ends while it waits is withdrawn: it is never carried out.
func TestRequestWithdrawn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := busy(t)
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, errBoom)
		defer cancel()
		began := time.Now()
		err := w.StartChild(ctx, "root", tree.Child{Name: "new", Service: newPart()})
		require.ErrorIs(t, err, errBoom)
		require.Equal(t, time.Minute, time.Since(began))
		require.ErrorIs(t, w.TerminateChild(ctx, "root/a"), errBoom, "it has ended already")
		sleep(time.Hour)
		require.Equal(t, "a running, b running, c running", w.states("root"))
		require.NotContains(t, fmt.Sprint(w.story()), "request done")
	})
}

// One that is being carried out goes on.
func TestRequestInProgressGoesOn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		slow := onStop(func(context.Context) error { time.Sleep(4 * time.Second); return nil })
		w := start(t, tree.Spec{Children: kids(slow)})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, w.TerminateChild(ctx, "root/a"), context.DeadlineExceeded)
		require.Equal(t, "a stopping", w.states("root"))
		sleep(3 * time.Second)
		require.Equal(t, "a down", w.states("root"))
	})
}

// Requests that wait are refused when the supervisor stops, at once.
func TestRequestRefusedByStop(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := busy(t)
		asked := later(func() error { return w.TerminateChild(context.Background(), "root/c") })
		listed := later(func() error { _, err := w.WhichChildren(context.Background(), "root"); return err })
		stopped := later(func() error { _, err := w.Stop(context.Background()); return err })
		require.ErrorIs(t, <-asked, tree.ErrSupervisorStopped)
		require.ErrorIs(t, <-listed, tree.ErrSupervisorStopped)
		require.ErrorIs(t, w.RestartChild(t.Context(), "root/c"), tree.ErrSupervisorStopped, "while it stops")
		sleep(time.Hour)
		require.ErrorIs(t, <-stopped, tree.ErrStuck, "b was given an hour, the stop 15 s")
	})
}

// Reading waits for nobody.
func TestReadingNeverWaits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := busy(t)
		began := time.Now()
		n, err := w.Snapshot(t.Context())
		require.NoError(t, err)
		require.Equal(t, tree.Stopping, n.Find("root/b").State)
		require.Nil(t, n.Find("root/x"))
		counts, err := w.CountChildren(t.Context(), "root")
		require.NoError(t, err)
		require.Equal(t, tree.Counts{Specs: 3, Active: 1, Workers: 3}, counts)
		_, err = w.Find(t.Context(), "root/b")
		require.NoError(t, err)
		require.Zero(t, time.Since(began))
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		for _, f := range []func() error{
			func() error { _, err := w.Snapshot(cancelled); return err },
			func() error { _, err := w.Find(cancelled, "root/b"); return err },
			func() error { _, err := w.CountChildren(cancelled, "root"); return err },
			func() error { _, err := w.WhichChildren(cancelled, "root"); return err },
			func() error { return w.TerminateChild(cancelled, "root/b") },
		} {
			require.ErrorIs(t, f(), context.Canceled)
		}
		sleep(time.Hour)
	})
}

// A child that is not ready cannot ask the supervisor that waits for it, nor one
// above that waits too; it can ask any other.
func TestRequestWouldDeadlock(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var own, above, other error
		x := onStart(func(ctx context.Context, _ int) error {
			tr, _ := tree.From(ctx)
			own = tr.StartChild(ctx, "root/sub", tree.Child{Name: "n", Service: newPart()})
			above = tr.TerminateChild(ctx, "root/sub")
			_, other = tr.WhichChildren(ctx, "root/other")
			actor.Ready(ctx)
			return nil
		})
		w := start(t, tree.Spec{Children: []tree.Child{
			{Name: "other", Service: tree.Spec{}},
			{Name: "sub", Service: tree.Spec{Children: kids(announced{x})}},
		}})
		require.ErrorIs(t, own, tree.ErrWouldDeadlock)
		require.ErrorIs(t, above, tree.ErrWouldDeadlock)
		require.NoError(t, other)
		require.Equal(t, "a running", w.states("root/sub"))
	})
}

// A child that is not waited for may ask at once: it is answered when the
// supervisor has started.
func TestRequestFromChildNotWaitedFor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var mu sync.Mutex
		var errs []error
		asking := func() *part {
			return onStart(func(ctx context.Context, _ int) error {
				tr, _ := tree.From(ctx)
				_, err := tr.WhichChildren(ctx, "root")
				mu.Lock()
				errs = append(errs, err)
				mu.Unlock()
				return nil
			})
		}
		spec := tree.Spec{}
		for i := range 200 {
			spec.Children = append(spec.Children, tree.Child{Name: fmt.Sprint(i), Service: asking()})
		}
		start(t, spec)
		require.Len(t, errs, 200)
		require.NoError(t, errors.Join(errs...))
	})
}

// A child that starts children of its own while it is being stopped is refused,
// and holds up nothing.
func TestRequestWhileBeingStopped(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var refused, self error
		a := onStop(func(ctx context.Context) error {
			tr, _ := tree.From(ctx)
			refused = tr.StartChild(context.WithoutCancel(ctx), "root", tree.Child{Name: "n", Service: newPart()})
			self = tr.TerminateChild(ctx, "root/a")
			return nil
		})
		w := start(t, tree.Spec{Children: kids(a)})
		report, err := w.Stop(t.Context())
		require.NoError(t, err)
		require.Zero(t, report.Took)
		require.ErrorIs(t, refused, tree.ErrSupervisorStopped)
		require.ErrorIs(t, self, actor.ErrStopping, "its own context has ended, with this cause")
	})
}

// A child that terminates itself is stopped. It sees its context end, unless the
// answer is quicker.
func TestRequestToTerminateOneself(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var err error
		a := onStart(func(ctx context.Context, _ int) error {
			tr, _ := tree.From(ctx)
			go func() { err = tr.TerminateChild(ctx, "root/a") }()
			return nil
		})
		w := start(t, tree.Spec{Children: kids(a)})
		require.Equal(t, "a down", w.states("root"))
		if err != nil {
			require.ErrorIs(t, err, actor.ErrRemoved)
		}
	})
}

// ReplaceChild stops and starts one child, touches no sibling, counts nothing and
// forgets its restarts.
func TestReplaceChild(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newPart()
		w := start(t, tree.Spec{Strategy: strategies.OneForAll, Intensity: strategies.Intensity{Max: 1}, Children: []tree.Child{
			{Name: "a", Service: newPart()},
			{Name: "b", Service: b, Policy: strategies.Policy{MaxRestarts: 1}},
			{Name: "c", Service: newPart(), Restart: strategies.Temporary},
		}})
		b.end(errBoom)
		require.Equal(t, 1, w.node("root/b").Restarts)
		w.news()
		require.NoError(t, w.ReplaceChild(t.Context(), "root/b"))
		require.Equal(t, "-b2 +b3", w.life())
		require.ErrorIs(t, b.lastCause(), actor.ErrReplaced)
		require.Zero(t, w.node("root/b").Restarts)
		sleep(6 * time.Second)
		b.end(errBoom) // its MaxRestarts count from zero again
		w.requireAlive()
	})
	bubble(t, func(t *testing.T) {
		w := start(t, tree.Spec{Children: []tree.Child{{Name: "t", Service: newPart(), Restart: strategies.Temporary}}})
		require.NoError(t, w.ReplaceChild(t.Context(), "root/t"), "a temporary child may be replaced")
		require.Equal(t, "t running", w.states("root"))
	})
}

// Also one that waits for its restart, under a dynamic supervisor.
func TestReplaceInstanceThatWaits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newPart()
		w := start(t, tree.Spec{Template: &tree.Template{Child: tree.Child{Service: a, Policy: strategies.Policy{Delay: time.Hour}}}})
		path, err := w.StartInstance(t.Context(), "root", nil)
		require.NoError(t, err)
		a.end(errBoom)
		require.Equal(t, "#1 restarting", w.states("root"))
		require.NoError(t, w.ReplaceChild(t.Context(), path))
		require.Equal(t, "#1 running", w.states("root"))
	})
}

// Instances of a dynamic supervisor.
func TestStartInstance(t *testing.T) {
	bubble(t, func(t *testing.T) {
		parts := map[string]*part{}
		w := start(t, tree.Spec{Intensity: unlimited, Template: &tree.Template{
			Child:        tree.Child{Restart: strategies.Transient, Policy: strategies.Policy{Delay: time.Minute}},
			MaxInstances: 2,
			New: func(arg any) (actor.Service, error) {
				switch v := arg.(type) {
				case string:
					parts[v] = newPart()
					return parts[v], nil
				case error:
					return nil, v
				case int:
					panic(v)
				}
				return (*pointerService)(nil), nil
			},
		}})
		ctx := t.Context()
		one, err := w.StartInstance(ctx, "root", "one")
		require.NoError(t, err)
		two, err := w.StartInstance(ctx, "root", "two")
		require.NoError(t, err)
		require.Equal(t, "root/#1", one)
		require.Equal(t, "root/#2", two)

		parts["one"].end(errBoom)
		_, err = w.StartInstance(ctx, "root", "three")
		require.ErrorIs(t, err, tree.ErrMaxInstances, "one that waits for its restart counts")
		sleep(time.Minute)
		require.Equal(t, 2, w.node(one).Incarnation, "its name stays")

		require.ErrorIs(t, w.RestartChild(ctx, one), tree.ErrDynamic)
		require.ErrorIs(t, w.DeleteChild(ctx, one), tree.ErrDynamic)
		require.ErrorIs(t, w.StartChild(ctx, "root", tree.Child{Name: "x", Service: newPart()}), tree.ErrDynamic)
		require.ErrorIs(t, w.TerminateChild(ctx, "root/#9"), tree.ErrNotFound)
		require.NoError(t, w.ReplaceChild(ctx, one))
		require.NoError(t, w.TerminateChild(ctx, one))
		parts["two"].end(nil)
		require.Empty(t, w.states("root"), "both are forgotten")

		_, err = w.StartInstance(ctx, "root", errBoom)
		require.ErrorIs(t, err, errBoom)
		_, err = w.StartInstance(ctx, "root", 42)
		var p *actor.PanicError
		require.ErrorAs(t, err, &p)
		_, err = w.StartInstance(ctx, "root", nil)
		require.ErrorIs(t, err, tree.ErrInvalidSpec)

		next, err := w.StartInstance(ctx, "root", "next")
		require.NoError(t, err)
		require.NotContains(t, []string{one, two}, next, "a name is not given again")
	})
}

func TestStartInstanceElsewhere(t *testing.T) {
	bubble(t, func(t *testing.T) {
		fails := onStart(func(_ context.Context, n int) error {
			if n == 1 {
				return errBoom
			}
			return actor.ErrIgnore
		})
		w := start(t, tree.Spec{Children: []tree.Child{
			{Name: "dyn", Service: tree.Spec{Template: &tree.Template{Child: tree.Child{Service: announced{fails}}}}},
		}})
		_, err := w.StartInstance(t.Context(), "root", nil)
		require.ErrorIs(t, err, tree.ErrNotDynamic)
		_, err = w.StartInstance(t.Context(), "root/dyn", 1)
		require.ErrorIs(t, err, tree.ErrBadArgument, "without New there are no arguments")
		_, err = w.StartInstance(t.Context(), "root/dyn", nil)
		require.ErrorIs(t, err, errBoom)
		path, err := w.StartInstance(t.Context(), "root/dyn", nil)
		require.NoError(t, err)
		require.Empty(t, path, "ignored")
		require.Empty(t, w.states("root/dyn"))

		nothing := actor.Func(func(context.Context) error { return actor.ErrIgnore })
		w = start(t, tree.Spec{Template: &tree.Template{Child: tree.Child{Service: nothing}}})
		path, err = w.StartInstance(t.Context(), "root", nil)
		require.NoError(t, err)
		require.Equal(t, "root/#1", path, "it was started before it could say so")
		require.Empty(t, w.states("root"))
	})
}

// Requests from many goroutines, on many levels, are each answered once.
func TestRequestsAtTheSameTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := start(t, tree.Spec{Intensity: unlimited, Children: []tree.Child{{Name: "sub", Service: tree.Spec{Intensity: unlimited, Children: kids(newPart())}}}})
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				for _, sup := range []string{"root", "root/sub"} {
					path := sup + "/" + fmt.Sprint(i)
					require.NoError(t, w.StartChild(context.Background(), sup, tree.Child{Name: fmt.Sprint(i), Service: newPart()}))
					require.NoError(t, w.ReplaceChild(context.Background(), path))
					require.NoError(t, w.TerminateChild(context.Background(), path))
					require.NoError(t, w.RestartChild(context.Background(), path))
					require.NoError(t, w.TerminateChild(context.Background(), path))
					require.NoError(t, w.DeleteChild(context.Background(), path))
				}
			})
		}
		wg.Wait()
		require.Equal(t, "sub running", w.states("root"))
		require.Equal(t, "a running", w.states("root/sub"))
	})
}
