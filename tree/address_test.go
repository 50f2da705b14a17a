package tree_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	proto "github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/tree"
)

// restartedAbove is a tree whose supervisor sub has the children a and b, and is
// started again when b ends.
func restartedAbove(t *testing.T, a *player) (w *world, again func()) {
	b := newPart()
	w = start(t, tree.Spec{Intensity: unlimited, Children: []tree.Child{
		{Name: "sub", Service: tree.Spec{Intensity: none, Children: kids(a.props(), b)}},
	}})
	return w, func() { b.end(errBoom) }
}

// An address that was used before is as good as a fresh one when a supervisor above
// was restarted.
func TestAddressThroughRestartAbove(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := &player{}
		w, again := restartedAbove(t, p)
		root := w.System().Root
		used, goroutine := w.PID("root/sub/a"), w.PID("root/sub/b")
		watcher, gone := watching(w)
		root.Send(used, "one")
		root.Send(watcher, func(c proto.Context) { c.Watch(goroutine) })
		synctest.Wait()
		for range 3 {
			again()
		}
		require.Len(t, gone(), 1, "told when the supervisor had ended")
		root.Send(proto.NewPID(used.Address, used.Id), "fresh")
		root.Send(used, "used")
		synctest.Wait()
		require.Equal(t, []any{"one", "fresh", "used"}, p.heard)

		root.Send(watcher, func(c proto.Context) { c.Watch(used); c.Watch(goroutine) })
		synctest.Wait()
		require.Len(t, gone(), 1, "both are there")
		w.news()
		root.Stop(goroutine)
		require.Equal(t, "-sub/b4 -sub/a4 -sub4 +sub/a5 +sub/b5 +sub5", w.life())
		root.Poison(used)
		require.Equal(t, "-sub/a5 -sub/b5 -sub5 +sub/a6 +sub/b6 +sub6", w.life())
		require.NoError(t, w.TerminateChild(t.Context(), "root/sub"))
		require.Len(t, gone(), 3)
		_, err := root.RequestFuture(used, "hello", time.Second).Result()
		require.ErrorIs(t, err, proto.ErrDeadLetter)
		require.NoError(t, root.StopFuture(watcher).Wait())
	})
}

// One who watches twice is told once, and not at all if he has thought better of it.
func TestWatchTwice(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := start(t, tree.Spec{Intensity: unlimited, Children: kids((&player{}).props(), newPart())})
		one, goneOne := watching(w)
		two, goneTwo := watching(w)
		for _, path := range []string{"root/a", "root/b"} {
			pid := w.PID(path)
			w.System().Root.Send(one, func(c proto.Context) { c.Watch(pid); c.Watch(pid); c.Unwatch(pid) })
			w.System().Root.Send(two, func(c proto.Context) { c.Unwatch(pid); c.Watch(pid); c.Watch(pid) })
			synctest.Wait()
			require.NoError(t, w.TerminateChild(t.Context(), path))
			require.NoError(t, w.DeleteChild(t.Context(), path))
		}
		require.Empty(t, goneOne())
		require.Len(t, goneTwo(), 2)
		require.NoError(t, w.System().Root.StopFuture(one).Wait())
		require.NoError(t, w.System().Root.StopFuture(two).Wait())
	})
}

// watching spawns an actor that runs what is sent to it, and tells who was said to it
// to be gone.
func watching(w *world, opts ...proto.PropsOption) (pid *proto.PID, gone func() []string) {
	var list []string
	pid = w.System().Root.Spawn(proto.PropsFromFunc(func(c proto.Context) {
		switch m := c.Message().(type) {
		case func(proto.Context):
			m(c)
		case *proto.Terminated:
			list = append(list, m.Who.Id)
		}
	}, opts...))
	return pid, func() []string { synctest.Wait(); return list }
}

// What a watcher does with the news holds up neither the supervisor nor the reading,
// though it be done where it is told.
func TestWatcherIsNotWaitedFor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := start(t, tree.Spec{Children: kids(newPart(), newPart())})
		block := make(chan struct{})
		var looked atomic.Bool
		watcher := w.System().Root.Spawn(proto.PropsFromFunc(func(c proto.Context) {
			switch m := c.Message().(type) {
			case *proto.PID:
				c.Watch(m)
			case *proto.Terminated:
				_, err := w.Snapshot(context.Background())
				looked.Store(err == nil)
				<-block
			}
		}, proto.WithDispatcher(proto.NewSynchronizedDispatcher(1))))
		w.System().Root.Send(watcher, w.PID("root/a"))
		w.System().Root.Send(watcher, w.PID("root/b"))
		require.NoError(t, w.TerminateChild(t.Context(), "root/a"))
		require.NoError(t, w.DeleteChild(t.Context(), "root/a"))
		synctest.Wait()
		require.True(t, looked.Load())
		w.stop()
		close(block)
		require.NoError(t, w.System().Root.StopFuture(watcher).Wait())
	})
}
