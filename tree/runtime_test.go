package tree_test

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
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

func echo() *actor.Actor {
	return actor.Props(proto.PropsFromFunc(func(c proto.Context) {
		if s, ok := c.Message().(string); ok {
			c.Respond(s)
		}
	}))
}

// Somebody who knows the address stops or poisons a child: it has ended by
// itself, and in order.
func TestStoppedFromOutside(t *testing.T) {
	for name, stop := range map[string]func(*proto.RootContext, *proto.PID){
		"stop":   func(r *proto.RootContext, pid *proto.PID) { r.Stop(pid) },
		"poison": func(r *proto.RootContext, pid *proto.PID) { r.Poison(pid) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := start(t, tree.Spec{Intensity: unlimited, Children: []tree.Child{
					{Name: "goroutine", Service: newPart()},
					{Name: "actor", Service: echo()},
					{Name: "transient", Service: echo(), Restart: strategies.Transient},
					{Name: "sub", Service: tree.Spec{Children: kids(newPart(), newPart())}},
				}})
				w.news()
				for _, c := range []struct{ path, life string }{
					{"goroutine", "-goroutine +goroutine2"},
					{"actor", "-actor +actor2"},
					{"transient", "-transient"},
					{"sub", "-sub/b -sub/a -sub +sub/a2 +sub/b2 +sub2"},
				} {
					stop(w.System().Root, w.PID("root/"+c.path))
					require.Equal(t, c.life, w.life())
				}
				stop(w.System().Root, w.PID("root"))
				require.NoError(t, w.ended())
				require.Equal(t, "-sub/b2 -sub/a2 -sub2 -actor2 -goroutine2", w.life())
			})
		})
	}
}

// Who watches a nested supervisor is told of each end once, however it comes, and can
// watch the next.
func TestWatchNested(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newPart()
		w := start(t, tree.Spec{Intensity: unlimited, Children: []tree.Child{{Name: "sub", Service: tree.Spec{Intensity: none, Children: kids(a)}}}})
		root, pid := w.System().Root, w.PID("root/sub")
		told := 0
		watcher := root.Spawn(proto.PropsFromFunc(func(c proto.Context) {
			switch c.Message().(type) {
			case *proto.Started, string:
				c.Watch(pid)
			case *proto.Terminated:
				told++
			}
		}))
		for n, end := range []func(){
			func() { a.end(errBoom) },
			func() { root.Stop(pid) },
			func() { root.Poison(pid) },
			func() { require.NoError(t, w.ReplaceChild(t.Context(), "root/sub")) },
			w.stop,
		} {
			synctest.Wait()
			end()
			synctest.Wait()
			require.Equal(t, n+1, told)
			root.Send(watcher, "again")
		}
		root.Stop(watcher)
		synctest.Wait()
	})
}

// One that is stopped so and does not end has its grace, and then fails: its supervisor
// stops it as it would for another failure. Beats are still expected meanwhile.
func TestStoppedFromOutsideAndGoesOn(t *testing.T) {
	for name, c := range map[string]struct {
		child tree.Child
		is    error
		after time.Duration
	}{
		"grace":     {tree.Child{Shutdown: 10 * time.Second}, tree.ErrStuck, 10 * time.Second},
		"default":   {tree.Child{}, tree.ErrStuck, 5 * time.Second},
		"brutal":    {tree.Child{Shutdown: tree.Brutal}, tree.ErrStuck, time.Second},
		"heartbeat": {tree.Child{Shutdown: time.Hour, Heartbeat: time.Second}, actor.ErrNoHeartbeat, time.Second},
		"infinity":  {tree.Child{Shutdown: tree.Infinity}, nil, 0},
	} {
		for kind, svc := range map[string]func(gate chan struct{}) actor.Service{
			"goroutine": func(gate chan struct{}) actor.Service {
				return onStop(func(context.Context) error { <-gate; return nil })
			},
			"actor": func(gate chan struct{}) actor.Service {
				return on("stopping", func(proto.Context, int) { <-gate }).props()
			},
		} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					gate := make(chan struct{})
					c.child.Name, c.child.Service, c.child.Restart = "a", svc(gate), strategies.Transient
					c.child.OnStuck = tree.StuckAbandon
					w := start(t, tree.Spec{Intensity: unlimited, Children: []tree.Child{c.child}})
					w.news()
					w.System().Root.Stop(w.PID("root/a"))
					if c.is == nil {
						sleep(time.Hour)
						require.Empty(t, w.life())
						close(gate)
						require.Equal(t, "-a", w.life(), "it is a stop all the same")
						return
					}
					sleep(c.after - 1)
					require.Equal(t, tree.Running, w.node("root/a").State)
					sleep(1 + 2*time.Hour)
					events := w.news()
					require.Equal(t, tree.RestartPlanned, events[len(events)-3].Kind, "%v", events)
					require.ErrorIs(t, events[len(events)-3].Err, c.is)
					require.Equal(t, 2, w.node("root/a").Incarnation)
					close(gate)
					synctest.Wait()
				})
			})
		}
	}
}

// Several trees live in one system of the user's, beside other actors, and leave
// it alone when they end.
func TestSharedSystem(t *testing.T) {
	bubble(t, func(t *testing.T) {
		system := proto.NewActorSystem(proto.WithLoggerFactory(func(*proto.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
		other := system.Root.Spawn(echo().Props())
		r := tree.Runner{System: system, Logger: slog.New(slog.DiscardHandler)}
		spec := func(name string) tree.Spec {
			return tree.Spec{Name: name, Children: []tree.Child{{Name: "echo", Service: echo()}}}
		}

		one, err := r.Start(t.Context(), spec("one"))
		require.NoError(t, err)
		two, err := r.Start(t.Context(), spec("two"))
		require.NoError(t, err)
		_, err = r.Start(t.Context(), spec("two"))
		require.ErrorIs(t, err, proto.ErrNameExists)
		require.ErrorContains(t, err, "start two: ")
		require.Same(t, system, two.System())

		_, err = one.Stop(t.Context())
		require.NoError(t, err)
		for _, pid := range []*proto.PID{other, two.PID("two/echo"), proto.NewPID(system.Address(), "two/echo")} {
			answer, err := system.Root.RequestFuture(pid, "hello", time.Second).Result()
			require.NoError(t, err)
			require.Equal(t, "hello", answer)
		}
		again, err := r.Start(t.Context(), spec("one"))
		require.NoError(t, err, "the name is free again")
		for _, tr := range []*tree.Tree{again, two} {
			_, err = tr.Stop(t.Context())
			require.NoError(t, err)
		}
		require.NoError(t, system.Root.StopFuture(other).Wait())
		system.Shutdown()
		time.Sleep(time.Second) // protoactor counts dead letters in a goroutine that lives for a moment
	})
}

// The name of a nested supervisor is taken in the user's system: its start fails, and
// is tried again as any other.
func TestNestedNameTaken(t *testing.T) {
	bubble(t, func(t *testing.T) {
		system := proto.NewActorSystem(proto.WithLoggerFactory(func(*proto.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
		runner := record(t).runner()
		runner.System = system
		other, err := system.Root.SpawnNamed(echo().Props(), "root/sub")
		require.NoError(t, err)
		spec := tree.Spec{Children: []tree.Child{{Name: "sub", Service: tree.Spec{Children: kids(newPart())}}}}

		_, err = runner.Start(t.Context(), spec)
		require.ErrorIs(t, err, proto.ErrNameExists)
		require.ErrorIs(t, err, tree.ErrStartFailed)
		require.ErrorContains(t, err, "start root/sub: ")

		require.NoError(t, system.Root.StopFuture(other).Wait())
		tr, err := runner.Start(t.Context(), spec)
		require.NoError(t, err)
		_, err = tr.Stop(t.Context())
		require.NoError(t, err)
		system.Shutdown()
		time.Sleep(time.Second) // as above
	})
}

// The system is shut down under the tree: the tree notices nothing, and its own
// stop still works.
func TestSystemShutDown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newPart()
		w := start(t, tree.Spec{Intensity: unlimited, Children: kids(a, echo())})
		w.System().Shutdown()
		a.end(errBoom)
		w.stop()
	})
}

// A child that is down keeps its address; what is sent to it meanwhile is lost,
// and asking it is answered as a dead letter.
func TestMessageToChildThatIsDown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := start(t, tree.Spec{Children: []tree.Child{{Name: "echo", Service: echo()}}})
		pid, root := w.PID("root/echo"), w.System().Root
		require.NoError(t, w.TerminateChild(t.Context(), "root/echo"))
		root.Send(pid, "lost")
		_, err := root.RequestFuture(pid, "hello", time.Second).Result()
		require.ErrorIs(t, err, proto.ErrDeadLetter)
		require.NoError(t, w.RestartChild(t.Context(), "root/echo"))
		answer, err := root.RequestFuture(pid, "hello", time.Second).Result()
		require.NoError(t, err)
		require.Equal(t, "hello", answer)
	})
}

// Watching a child's address tells when the child is gone for good, not each time
// it is restarted.
func TestWatchChild(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newPart()
		w := start(t, tree.Spec{Intensity: unlimited, Children: kids(a)})
		gone := make(chan *proto.PID, 2)
		watcher := w.System().Root.Spawn(proto.PropsFromFunc(func(c proto.Context) {
			switch msg := c.Message().(type) {
			case *proto.PID:
				c.Watch(msg)
			case *proto.Terminated:
				gone <- msg.Who
			}
		}))
		pid := w.PID("root/a")
		w.System().Root.Send(watcher, pid)
		a.end(errBoom)
		require.NoError(t, w.TerminateChild(t.Context(), "root/a"))
		require.True(t, pending(gone))
		require.NoError(t, w.DeleteChild(t.Context(), "root/a"))
		require.True(t, pid.Equal(<-gone))
		w.System().Root.Send(watcher, pid)
		require.True(t, pid.Equal(<-gone), "it is gone already")
		require.NoError(t, w.System().Root.StopFuture(watcher).Wait())
	})
}

// A child that ends at once, for ever, is restarted for ever; the tree stays
// awake: it answers, watches the others, and stops.
func TestHotLoop(t *testing.T) {
	for name, s := range map[string]tree.Spec{
		"child": {Intensity: unlimited, Children: []tree.Child{{Name: "hot", Service: actor.Func(func(context.Context) error { return errBoom })}}},
		"group": {Intensity: unlimited, Strategy: strategies.OneForAll, Children: []tree.Child{
			{Name: "hot", Service: actor.Func(func(context.Context) error { return nil })},
			{Name: "too", Service: actor.Func(func(context.Context) error { panic("too") })},
		}},
		"supervisor": {Intensity: unlimited, Children: []tree.Child{
			{Name: "sub", Service: tree.Spec{Intensity: none, Children: kids(actor.Func(func(context.Context) error { return errBoom }))}},
		}},
		"start": {Intensity: unlimited, Children: []tree.Child{{Name: "hot", Service: failsFrom(2)}}},
	} {
		t.Run(name, func(t *testing.T) {
			var restarts atomic.Int64
			r := tree.Runner{Logger: slog.New(slog.DiscardHandler)}
			tr, err := r.Start(t.Context(), s)
			require.NoError(t, err)
			sub := tr.Subscribe(1 << 14)
			for e := range sub.C {
				if e.Kind == tree.RestartPlanned && restarts.Add(1) == 1000 {
					break
				}
			}
			sub.Close()
			require.NoError(t, tr.StartChild(t.Context(), "root", tree.Child{Name: "calm", Service: echo()}))
			_, err = tr.Find(t.Context(), "root/calm")
			require.NoError(t, err)
			_, err = tr.Stop(t.Context())
			require.NoError(t, err)
		})
	}
}

// failsFrom is ready at its first starts only, and then fails at once.
func failsFrom(n int) actor.Service {
	return announced{onStart(func(ctx context.Context, start int) error {
		if start < n {
			actor.Ready(ctx)
		}
		return errBoom
	})}
}

// Many trees at once, each hurt and stopped.
func TestManyTrees(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				a := newPart()
				name := fmt.Sprint("tree", i)
				tr, err := tree.Runner{Logger: slog.New(slog.DiscardHandler)}.Start(context.Background(), tree.Spec{Name: name, Children: kids(a, echo())})
				if err != nil {
					t.Error(err)
					return
				}
				a.do <- func() error { return errBoom }
				time.Sleep(time.Second)
				if n, err := tr.Find(context.Background(), name+"/a"); err != nil || n.Incarnation != 2 {
					t.Error(name, n.Incarnation, err)
				}
				if _, err := tr.Stop(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		synctest.Wait()
	})
}

// A small tree needs little memory, and its own actor system is complete.
func TestSmallTreeIsSmall(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	r, err := unwatched.Start(t.Context(), tree.Spec{Children: waiters(1)})
	require.NoError(t, err)
	require.Less(t, heap(), before+512<<10)
	_, ok := r.System().ProcessRegistry.GetLocal("eventstream")
	require.True(t, ok)
	_, err = r.Stop(context.Background())
	require.NoError(t, err)
}
