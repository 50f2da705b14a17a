package tree_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/tree"
)

// answers is a child that answers requests; functions are called.
func answers() *part {
	return onStart(func(ctx context.Context, n int) error {
		actor.Handle(ctx, func(ctx context.Context, request any) (any, error) {
			if f, ok := request.(func(context.Context) error); ok {
				return n, f(ctx)
			}
			return request, nil
		})
		return nil
	})
}

func TestCall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := answers()
		w := start(t, tree.Spec{Intensity: unlimited, Children: []tree.Child{
			{Name: "a", Service: a},
			{Name: "deaf", Service: newPart()},
			{Name: "sub", Service: tree.Spec{Children: []tree.Child{{Name: "b", Service: answers()}}}},
		}})
		call := func(path string, request any) (any, error) { return w.Call(t.Context(), path, request) }
		for _, path := range []string{"root/a", "root/sub/b"} {
			answer, err := call(path, "hello")
			require.NoError(t, err)
			require.Equal(t, "hello", answer)
		}
		for path, want := range map[string]error{
			"root": tree.ErrNoHandler, "root/deaf": tree.ErrNoHandler, "root/sub": tree.ErrNoHandler,
			"root/x": tree.ErrNotFound, "x": tree.ErrNotFound, "root/a/x": tree.ErrNotSupervisor,
		} {
			_, err := call(path, "hello")
			require.ErrorIs(t, err, want, path)
			var r *tree.RequestError
			require.ErrorAs(t, err, &r)
			require.Equal(t, path, r.Path)
		}
		require.NoError(t, w.TerminateChild(t.Context(), "root/a"))
		_, err := call("root/a", "hello")
		require.ErrorIs(t, err, tree.ErrNotRunning)
		require.NoError(t, w.RestartChild(t.Context(), "root/a"))
		synctest.Wait() // until the child has given its handler
		n, err := call("root/a", func(context.Context) error { return nil })
		require.NoError(t, err)
		require.Equal(t, 2, n, "the incarnation of the moment")
		actor.Handle(a.ctx, nil)
		_, err = call("root/a", "hello")
		require.ErrorIs(t, err, tree.ErrNoHandler)
	})
}

// What a handler does hurts neither the caller nor the child.
func TestCallThatFails(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := start(t, tree.Spec{Children: []tree.Child{{Name: "a", Service: answers()}}})
		failed := func(f func(context.Context) error) error {
			_, err := w.Call(t.Context(), "root/a", f)
			return err
		}
		require.ErrorIs(t, failed(func(context.Context) error { return errBoom }), errBoom)
		require.ErrorIs(t, failed(func(context.Context) error { runtime.Goexit(); return nil }), actor.ErrGoexit)
		var p *actor.PanicError
		require.ErrorAs(t, failed(func(context.Context) error { panic("oh") }), &p)
		require.Equal(t, "oh", p.Value)

		late := errors.New("late")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, late)
		defer cancel()
		_, err := w.Call(ctx, "root/a", func(ctx context.Context) error { time.Sleep(time.Minute); return ctx.Err() })
		require.ErrorIs(t, err, late)
		_, err = w.Call(ctx, "root/a", "hello")
		require.ErrorIs(t, err, late)
		sleep(time.Hour)
		require.Equal(t, "+a", w.life())
	})
}
