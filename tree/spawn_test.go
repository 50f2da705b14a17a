package tree_test

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	proto "github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

// starters are props that call f while an actor is made of them, by what calls it.
func starters(p *player, f func()) map[string]*actor.Actor {
	return map[string]*actor.Actor{
		"producer": (&player{on: p.on, onMade: func(int) { f() }}).props(),
		"mailbox":  p.props(proto.WithMailbox(func() proto.Mailbox { f(); return proto.Unbounded()() })),
		"init":     p.props(proto.WithOnInit(func(proto.Context) { f() })),
		"spawner": p.props(proto.WithSpawnFunc(func(s *proto.ActorSystem, id string, props *proto.Props, parent proto.SpawnerContext) (*proto.PID, error) {
			f()
			return proto.DefaultSpawner(s, id, props, parent)
		})),
	}
}

// What an actor is made by may block: its start is bounded, and it is stuck like any
// other child. One that is made after all is stopped at once.
func TestSpawnThatBlocks(t *testing.T) {
	for name := range starters(&player{}, nil) {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				gate, stopped := make(chan struct{}), 0
				p := on("stopped", func(proto.Context, int) { stopped++ })
				svc := starters(p, func() { <-gate })[name]
				w := start(t, tree.Spec{Intensity: unlimited, Children: kids(newPart())})
				w.news()
				err := w.StartChild(t.Context(), "root", tree.Child{Name: "b", Service: svc, StartTimeout: time.Minute, Shutdown: time.Second})
				require.ErrorIs(t, err, actor.ErrStartTimeout)
				require.Equal(t, "?b !b", w.life())
				require.ErrorIs(t, w.StartChild(t.Context(), "root", tree.Child{Name: "b", Service: svc}), tree.ErrStuck)
				w.news()

				began := time.Now()
				report, err := w.Stop(t.Context())
				require.ErrorIs(t, err, tree.ErrStuck)
				require.Less(t, time.Since(began), time.Second)
				require.Equal(t, "root/b", report.Stuck[0].Path)
				require.Contains(t, report.Stuck[0].Stack, "TestSpawnThatBlocks")
				close(gate)
				synctest.Wait()
				require.Equal(t, 1, stopped)
				time.Sleep(time.Second)
			})
		})
	}
}

// The same while the tree lives: one that was given up and is made after all is told to
// have ended, and the next one may start.
func TestSpawnThatIsLate(t *testing.T) {
	for name := range starters(&player{}, nil) {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				gate, calls := make(chan struct{}), 0
				p := &player{}
				svc := starters(p, func() {
					if calls++; calls == 2 {
						<-gate
					}
				})[name]
				w := start(t, tree.Spec{Intensity: unlimited, Children: []tree.Child{
					{Name: "a", Service: svc, StartTimeout: time.Minute, Shutdown: time.Second, Policy: strategies.Policy{Delay: time.Hour}},
				}})
				w.act("root/a", func(proto.Context) { panic(errBoom) })
				w.news()
				sleep(time.Hour + time.Minute + time.Second)
				require.Equal(t, "?a2 !a2", w.life())
				require.Equal(t, 2, w.node("root/a").Stuck)
				close(gate)
				require.Equal(t, []string{"a2: late end, shutdown"}, w.story())
				require.Zero(t, w.node("root/a").Stuck)
				sleep(time.Hour)
				require.Equal(t, "+a3", w.life())
				if name != "producer" { // which makes players of its own
					w.tell("root/a", "hello")
					require.Equal(t, []any{"hello"}, p.heard)
				}
				w.stop()
			})
		})
	}
}

// Whoever ends the goroutine in which an actor is made, it is a start that failed.
func TestSpawnThatEndsItsGoroutine(t *testing.T) {
	for name := range starters(&player{}, nil) {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				svc := starters(&player{}, runtime.Goexit)[name]
				w := start(t, tree.Spec{})
				require.ErrorIs(t, w.StartChild(t.Context(), "root", tree.Child{Name: "a", Service: svc}), actor.ErrGoexit)
				w.stop()
			})
		})
	}
}

// An actor can be asked by its own address from the beginning, and its own messages to
// itself are not lost.
func TestOwnAddressInStarted(t *testing.T) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				p := on("started", func(c proto.Context, _ int) {
					c.Send(proto.NewPID(c.Self().Address, "root/a"), "hello")
				})
				w := start(t, tree.Spec{Children: kids(p.props(kind...))})
				require.Equal(t, []any{"hello"}, p.heard)
				w.stop()
			})
		})
	}
}

// An actor that was given up and ends takes nothing from the one that came in its
// place under the same path.
func TestActorBesideOneGivenUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		gate := make(chan struct{})
		first, second := &player{}, &player{}
		w := start(t, tree.Spec{Intensity: unlimited})
		require.NoError(t, w.StartChild(t.Context(), "root", tree.Child{Name: "a", Service: first.props(), Shutdown: tree.Brutal}))
		w.act("root/a", func(proto.Context) { <-gate })
		require.NoError(t, w.TerminateChild(t.Context(), "root/a"))
		require.NoError(t, w.DeleteChild(t.Context(), "root/a"))
		require.NoError(t, w.StartChild(t.Context(), "root", tree.Child{Name: "a", Service: second.props()}))
		w.tell("root/a", "one")
		close(gate)
		synctest.Wait()
		w.tell("root/a", "two")
		require.Equal(t, []any{"one", "two"}, second.heard)
		require.NoError(t, w.TerminateChild(t.Context(), "root/a"))
		w.stop()
		time.Sleep(time.Second)
	})
}

// after is middleware that calls f behind the handling of messages of M's type.
func after[M any](f func()) proto.PropsOption {
	return proto.WithReceiverMiddleware(func(next proto.ReceiverFunc) proto.ReceiverFunc {
		return func(c proto.ReceiverContext, env *proto.MessageEnvelope) {
			next(c, env)
			if _, ok := env.Message.(M); ok {
				f()
			}
		}
	})
}

// A goroutine that ends outside the actor's handlers ends the actor as well.
func TestGoexitOutsideTheHandlers(t *testing.T) {
	continued := func(c proto.Context) {
		f := proto.NewFuture(c.ActorSystem(), -1)
		c.ReenterAfter(f, func(any, error) { runtime.Goexit() })
		c.Send(f.PID(), "done")
	}
	stopSelf := func(c proto.Context) { c.Stop(c.Self()) }
	for name, c := range map[string]struct {
		opt proto.PropsOption
		do  func(proto.Context)
		is  error
	}{
		"in a continuation":               {proto.WithOnInit(), continued, actor.ErrGoexit},
		"in middleware, behind a message": {after[func(proto.Context)](runtime.Goexit), func(proto.Context) {}, actor.ErrGoexit},
		"behind Stopping":                 {after[*proto.Stopping](runtime.Goexit), stopSelf, actor.ErrGoexit},
		"behind Stopped":                  {after[*proto.Stopped](runtime.Goexit), stopSelf, nil},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				p := &player{}
				w := start(t, tree.Spec{Intensity: unlimited, Children: kids(p.props(c.opt), newPart())})
				w.news()
				w.act("root/a", c.do)
				events := w.news()
				require.Equal(t, tree.ChildEnded, events[0].Kind)
				require.ErrorIs(t, events[0].Err, c.is)
				w.tell("root/a", "hello")
				require.Equal(t, []any{"hello"}, p.heard)
				w.stop()
				time.Sleep(time.Second)
			})
		})
	}
}

// The mailbox of the props cannot tell, but nothing waits for it for good.
func TestGoexitOutsideTheHandlersInAMailboxOfTheProps(t *testing.T) {
	bubble(t, func(t *testing.T) {
		opts := []proto.PropsOption{after[*proto.Stopped](runtime.Goexit), proto.WithMailbox(proto.Unbounded())}
		w := start(t, tree.Spec{Children: kids((&player{}).props(opts...))})
		w.stop()
	})
}

// A dispatcher that does all where it is asked to has an actor's handlers run on no
// goroutine of the supervisor's.
func TestSynchronizedDispatcherAndTheSupervisor(t *testing.T) {
	block := make(chan struct{})
	for name, f := range map[string]func(){"goexit": runtime.Goexit, "panic": func() { panic(errBoom) }, "block": func() { <-block }} {
		for _, event := range []string{"started", "stopping", "stopped"} {
			t.Run(name+" in "+event, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					block = make(chan struct{})
					p := on(event, func(proto.Context, int) { f() })
					w := start(t, tree.Spec{Children: kids(newPart())})
					_ = w.StartChild(t.Context(), "root", tree.Child{
						Name: "b", Service: p.props(proto.WithDispatcher(proto.NewSynchronizedDispatcher(10))),
						StartTimeout: time.Second, Shutdown: time.Second,
					})
					_, err := w.Stop(t.Context())
					require.Equal(t, name == "block", err != nil, err)
					close(block)
					time.Sleep(time.Second)
				})
			})
		}
	}
}
