package tree_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

// sub is a child that is a supervisor made by f, which is told how many there were
// before.
func sub(f func(ctx context.Context, n int) (tree.Spec, error)) tree.Child {
	n := 0
	return tree.Child{Name: "sub", Service: tree.Init(func(ctx context.Context) (tree.Spec, error) {
		n++
		return f(ctx, n)
	})}
}

// Each incarnation of the supervisor has the children of its own spec.
func TestInitEachTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newPart()
		w := start(t, tree.Spec{Children: []tree.Child{sub(func(ctx context.Context, n int) (tree.Spec, error) {
			id, _ := actor.Self(ctx)
			require.Equal(t, actor.Identity{Path: "root/sub", Incarnation: n}, id)
			actor.Ready(ctx) // means nothing here
			return tree.Spec{Intensity: none, Strategy: strategies.RestForOne, Children: kids(a, newPart(), newPart())[:n+1]}, nil
		})}})
		require.Equal(t, "+sub/a +sub/b +sub", w.life())
		require.Equal(t, strategies.RestForOne, w.node("root/sub").Strategy)
		require.Equal(t, "supervisor", w.node("root/sub").Kind)
		a.end(errBoom)
		require.Equal(t, "-sub/a -sub/b -sub +sub/a2 +sub/b2 +sub/c +sub2", w.life())
		for _, path := range []string{"root/sub/a", "root/sub/b", "root/sub/c"} {
			require.Equal(t, path, w.PID(path).Id)
		}
		require.NoError(t, w.ReplaceChild(t.Context(), "root/sub/b"))
		require.NoError(t, w.TerminateChild(t.Context(), "root/sub"))
		require.ErrorIs(t, w.TerminateChild(t.Context(), "root/sub/a"), tree.ErrSupervisorStopped)
		require.Error(t, w.RestartChild(t.Context(), "root/sub"), "there is no fourth")
		w.requireAlive()
	})
}

func TestInitFails(t *testing.T) {
	for name, c := range map[string]struct {
		init func(context.Context, int) (tree.Spec, error)
		want error
		text string
	}{
		"error": {func(context.Context, int) (tree.Spec, error) { return tree.Spec{}, errBoom }, errBoom, "start root/sub: boom"},
		"panic": {func(context.Context, int) (tree.Spec, error) { panic(errBoom) }, errBoom, "start root/sub: panic: boom"},
		"spec": {
			func(context.Context, int) (tree.Spec, error) { return tree.Spec{Children: kids(nil)}, nil },
			tree.ErrInvalidSpec, "start root/sub: invalid spec: root/sub/a: Service: nil",
		},
		"name": {
			func(context.Context, int) (tree.Spec, error) { return tree.Spec{Name: "other"}, nil },
			tree.ErrInvalidSpec, `start root/sub: invalid spec: root/sub: Service.Name: "other" differs from the child's name`,
		},
		"child": {
			func(context.Context, int) (tree.Spec, error) {
				return tree.Spec{Children: kids(announced{onStart(func(context.Context, int) error { return errBoom })})}, nil
			},
			errBoom, "start root/sub: start root/sub/a: boom",
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				_, err := record(t).runner().Start(t.Context(), tree.Spec{Children: []tree.Child{sub(c.init)}})
				require.ErrorIs(t, err, tree.ErrStartFailed)
				require.ErrorIs(t, err, c.want)
				require.EqualError(t, err, c.text)
			})
		})
	}
}

// In a restart a failed Init is tried again and counted, as any start is.
func TestInitFailsInRestart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newPart()
		w := start(t, tree.Spec{Intensity: strategies.Intensity{Max: 3, Within: time.Hour}, Children: []tree.Child{
			sub(func(_ context.Context, n int) (tree.Spec, error) {
				if n == 2 {
					return tree.Spec{}, errBoom
				}
				return tree.Spec{Intensity: none, Children: kids(a)}, nil
			}),
		}})
		w.life()
		a.end(errBoom)
		require.Equal(t, "-sub/a -sub !sub2 +sub/a2 +sub3", w.life())
		require.Equal(t, 2, w.node("root").Used)
	})
}

func TestInitIgnore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := start(t, tree.Spec{Children: []tree.Child{sub(func(context.Context, int) (tree.Spec, error) {
			return tree.Spec{}, fmt.Errorf("not today: %w", actor.ErrIgnore)
		})}})
		require.Equal(t, "~sub", w.life())
		require.Equal(t, "sub down", w.states("root"))
	})
}

// A stop interrupts an Init; what it returns then starts nothing.
func TestInitStopped(t *testing.T) {
	for name, result := range map[string]error{"spec": nil, "error": errBoom} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				w, done := background(t, ctx, tree.Spec{Children: []tree.Child{sub(func(ctx context.Context, _ int) (tree.Spec, error) {
					<-ctx.Done()
					time.Sleep(time.Second)
					return tree.Spec{Children: kids(newPart())}, result
				})}})
				require.True(t, pending(done))
				cancel()
				require.ErrorIs(t, <-done, context.Canceled)
				require.Equal(t, "-sub", w.life())
			})
		})
	}
}

// One that does not return is stuck when the stop is forced, and told.
func TestInitStuck(t *testing.T) {
	bubble(t, func(t *testing.T) {
		release := make(chan struct{})
		hangs := sub(func(context.Context, int) (tree.Spec, error) {
			<-release
			return tree.Spec{Children: kids(newPart())}, nil
		})
		w := start(t, tree.Spec{Children: kids(newPart())})
		go func() { _ = w.StartChild(t.Context(), "root", hangs) }()
		require.Equal(t, "a running, sub starting", w.states("root"))
		w.news()
		report, err := w.Stop(t.Context())
		require.ErrorIs(t, err, tree.ErrStuck)
		require.Len(t, report.Stuck, 1)
		require.Equal(t, "root/sub", report.Stuck[0].Path)
		require.Contains(t, report.Stuck[0].Stack, "TestInitStuck")
		close(release)
		sleep(time.Second)
		require.NotContains(t, w.life(), "+")
	})
}

// The supervisor above ends within its own grace all the same, and under StuckHold
// there is no second Init beside the one that hangs.
func TestInitStuckHold(t *testing.T) {
	bubble(t, func(t *testing.T) {
		release := make(chan struct{})
		hangs := sub(func(_ context.Context, n int) (tree.Spec, error) {
			if n == 2 {
				<-release
			}
			return tree.Spec{Intensity: none, Children: kids(newPart())}, nil
		})
		w := start(t, tree.Spec{Children: []tree.Child{
			{Name: "mid", Service: tree.Spec{Children: []tree.Child{hangs}}, Shutdown: time.Minute},
		}})
		w.System().Root.Stop(w.PID("root/mid/sub"))
		require.Equal(t, "sub starting", w.states("root/mid"))
		at := time.Now()
		require.NoError(t, w.TerminateChild(t.Context(), "root/mid"))
		require.Less(t, time.Since(at), 2*time.Minute)
		require.GreaterOrEqual(t, time.Since(at), time.Minute)
		err := w.RestartChild(t.Context(), "root/mid")
		require.ErrorIs(t, err, tree.ErrStuck)
		close(release)
		sleep(0)
		require.NoError(t, w.RestartChild(t.Context(), "root/mid"))
	})
}

func TestInitServedAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		svc := sub(func(context.Context, int) (tree.Spec, error) { return tree.Spec{Children: kids(newPart())}, nil }).Service
		done := later(func() error { return svc.Serve(ctx) })
		require.True(t, pending(done))
		cancel()
		require.NoError(t, <-done)
		fails := sub(func(context.Context, int) (tree.Spec, error) { return tree.Spec{}, errBoom }).Service
		require.ErrorIs(t, fails.Serve(t.Context()), errBoom)
		require.Equal(t, "supervisor", tree.Init(nil).Kind())
		require.ErrorIs(t, tree.Spec{Children: []tree.Child{{Name: "x", Service: tree.Init(nil)}}}.Validate(), tree.ErrInvalidSpec)
	})
}
