package tree_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	proto "github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

// player is a message-driven child that a test controls: its handlers do what
// the test says, and it runs every function sent to it.
type player struct {
	mu     sync.Mutex
	made   int
	onMade func(n int)
	on     map[string]func(c proto.Context, n int) // started, stopping, stopped
	heard  []any
}

func (p *player) props(opts ...proto.PropsOption) *actor.Actor {
	return actor.Props(proto.PropsFromProducer(func() proto.Actor {
		p.mu.Lock()
		p.made++
		n := p.made
		p.mu.Unlock()
		if p.onMade != nil {
			p.onMade(n)
		}
		return proto.ReceiveFunc(func(c proto.Context) { p.receive(c, n) }) // a new one each time
	}, opts...))
}

func (p *player) receive(c proto.Context, n int) {
	event := ""
	switch msg := c.Message().(type) {
	case *proto.Started:
		event = "started"
	case *proto.Stopping:
		event = "stopping"
	case *proto.Stopped:
		event = "stopped"
	case func(proto.Context):
		msg(c)
	case string:
		p.mu.Lock()
		p.heard = append(p.heard, msg)
		p.mu.Unlock()
	}
	if f := p.on[event]; f != nil {
		f(c, n)
	}
}

// tell sends msg to the child at path and waits for what comes of it.
func (w *world) tell(path string, msg any) {
	w.t.Helper()
	pid := w.PID(path)
	require.NotNil(w.t, pid)
	w.System().Root.Send(pid, msg)
	synctest.Wait()
}

func (w *world) act(path string, f func(proto.Context)) { w.tell(path, f) }

func on(event string, f func(c proto.Context, n int)) *player {
	return &player{on: map[string]func(proto.Context, int){event: f}}
}

// How the end of a running actor is read.
func TestEndOfActor(t *testing.T) {
	for _, tt := range []struct {
		name     string
		end      func(proto.Context)
		class    actor.Class
		is       error
		restarts map[strategies.Restart]bool
	}{
		{"stops itself", func(c proto.Context) { c.Stop(c.Self()) }, actor.ClassNormal, nil, always},
		{"Exit(nil)", func(c proto.Context) { actor.Exit(c, nil) }, actor.ClassNormal, nil, always},
		{"Exit(ErrShutdown)", func(c proto.Context) { actor.Exit(c, actor.ErrShutdown) }, actor.ClassShutdown, actor.ErrShutdown, always},
		{"Exit(Shutdown(err))", func(c proto.Context) { actor.Exit(c, actor.Shutdown(errBoom)) }, actor.ClassShutdown, errBoom, always},
		{"Exit(err)", func(c proto.Context) { actor.Exit(c, errBoom) }, actor.ClassAbnormal, errBoom, failing},
		{"Exit(context.Canceled)", func(c proto.Context) { actor.Exit(c, context.Canceled) }, actor.ClassAbnormal, context.Canceled, failing},
		{"Exit(RetryAfter)", func(c proto.Context) { actor.Exit(c, actor.RetryAfter(1, errBoom)) }, actor.ClassAbnormal, errBoom, failing},
		{"panic", func(proto.Context) { panic(errBoom) }, actor.ClassAbnormal, errBoom, failing},
		{"runtime.Goexit", func(proto.Context) { runtime.Goexit() }, actor.ClassAbnormal, actor.ErrGoexit, failing},
	} {
		for _, r := range []strategies.Restart{strategies.Permanent, strategies.Transient, strategies.Temporary} {
			t.Run(tt.name+"/"+r.String(), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					p := &player{}
					w := start(t, tree.Spec{Intensity: unlimited, Children: []tree.Child{{Name: "a", Service: p.props(), Restart: r}}})
					require.Equal(t, "+a", w.life())
					w.act("root/a", tt.end)
					ended := w.news()[0]
					require.Equal(t, tree.ChildEnded, ended.Kind)
					require.Equal(t, tt.class, ended.Class)
					require.ErrorIs(t, ended.Err, tt.is)
					sleep(1)
					if r == strategies.Temporary {
						require.Empty(t, w.states("root"))
						return
					}
					want := tree.Down
					if tt.restarts[r] {
						want = tree.Running
					}
					require.Equal(t, want, w.node("root/a").State)
				})
			})
		}
	}
}

var (
	always  = map[strategies.Restart]bool{strategies.Permanent: true}
	failing = map[strategies.Restart]bool{strategies.Permanent: true, strategies.Transient: true}
)

// An actor that panics before it has handled Started has not started.
func TestEndOfActorBeforeReady(t *testing.T) {
	for name, p := range map[string]*player{
		"panic in Started":  on("started", func(proto.Context, int) { panic(errBoom) }),
		"panic in producer": {onMade: func(int) { panic(errBoom) }},
		"Exit in Started":   on("started", func(c proto.Context, _ int) { actor.Exit(c, errBoom) }),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := record(t)
				_, err := w.runner().Start(t.Context(), tree.Spec{Children: []tree.Child{
					{Name: "a", Service: newPart()}, {Name: "b", Service: p.props()},
				}})
				require.Equal(t, "+a !b -a", w.life())
				require.ErrorIs(t, err, tree.ErrStartFailed)
				require.ErrorIs(t, err, errBoom)
			})
		})
	}
}

func TestEndOfActorGoexitInStarted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := on("started", func(proto.Context, int) { runtime.Goexit() })
		_, err := record(t).runner().Start(t.Context(), tree.Spec{Children: kids(p.props())})
		require.ErrorIs(t, err, actor.ErrGoexit)
	})
}

// An actor may find in Started that it has nothing to do.
func TestEndOfActorIgnore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := on("started", func(c proto.Context, _ int) { actor.Exit(c, actor.ErrIgnore) })
		w := start(t, tree.Spec{Intensity: none, Children: kids(p.props(), newPart())})
		require.Equal(t, "~a +b", w.life())
		require.Equal(t, "a down, b running", w.states("root"))
	})
}

// A panic while it stops is told, changes nothing, and never brings it back.
func TestEndOfActorPanicsWhileStopping(t *testing.T) {
	for _, event := range []string{"stopping", "stopped"} {
		for name, die := range map[string]func(proto.Context, int){
			"panic": func(proto.Context, int) { panic(errBoom) },
			"exit":  func(proto.Context, int) { runtime.Goexit() },
		} {
			t.Run(name+" in "+event, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					p := on(event, die)
					w := start(t, tree.Spec{Intensity: none, Children: kids(newPart(), p.props())})
					w.news()
					report, err := w.Stop(t.Context())
					require.NoError(t, err)
					require.Zero(t, report.Took)
					require.Equal(t, "-b -a", w.life())
					require.Equal(t, 1, p.made)
				})
			})
		}
	}
}

// A failure comes first, whatever the handlers of its stop do then.
func TestEndOfActorFirstReasonCounts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := on("stopping", func(proto.Context, int) { panic("too") })
		w := start(t, tree.Spec{Intensity: unlimited, Children: kids(p.props())})
		w.news()
		w.act("root/a", func(proto.Context) { panic(errBoom) })
		require.ErrorIs(t, w.news()[0].Err, errBoom)
		require.Equal(t, "a running", w.states("root"))
	})
}

// The panic's stack shows where.
func TestEndOfActorPanicStack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := start(t, tree.Spec{Intensity: none, Children: kids((&player{}).props())})
		w.act("root/a", func(proto.Context) { _ = explode() })
		var p *actor.PanicError
		require.ErrorAs(t, w.ended(), &p)
		require.Contains(t, string(p.Stack), "tree_test.explode")
	})
}

// Messages to the child's address reach the incarnation of the moment; what the
// failed one had not read is lost.
func TestActorAddressStays(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := &player{}
		w := start(t, tree.Spec{Name: "shop", Intensity: unlimited, Children: []tree.Child{
			{Name: "ledger", Service: p.props(), Policy: strategies.Policy{Delay: time.Second}},
		}})
		pid := w.PID("shop/ledger")
		require.Equal(t, "shop/ledger", pid.Id)
		w.tell("shop/ledger", "one")
		w.System().Root.Send(pid, func(proto.Context) { panic("lost") })
		w.System().Root.Send(pid, "behind the failure")
		synctest.Wait()
		w.tell("shop/ledger", "while it is down")
		sleep(time.Second)
		w.tell("shop/ledger", "two")
		require.Equal(t, []any{"one", "two"}, p.heard)
		require.Equal(t, 2, p.made, "a new actor for each incarnation")
		require.Equal(t, pid, w.PID("shop/ledger"))
	})
}

// An actor with options of its own keeps them.
func TestActorKeepsItsProps(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var seen []any
		p := &player{}
		svc := p.props(proto.WithReceiverMiddleware(func(next proto.ReceiverFunc) proto.ReceiverFunc {
			return func(c proto.ReceiverContext, env *proto.MessageEnvelope) {
				if s, ok := env.Message.(string); ok {
					seen = append(seen, s)
				}
				next(c, env)
			}
		}), proto.WithMailbox(proto.Bounded(4)))
		w := start(t, tree.Spec{Children: kids(svc)})
		w.tell("root/a", "hello")
		require.Equal(t, []any{"hello"}, seen)
		require.Equal(t, []any{"hello"}, p.heard)
	})
}

// Inside an actor, actor.Context leads to everything that a goroutine child has.
func TestActorContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		type key struct{}
		var ctx context.Context
		var self actor.Identity
		p := on("started", func(c proto.Context, _ int) {
			ctx = actor.Context(c)
			self, _ = actor.Self(ctx)
			actor.SetStatus(ctx, actor.Status{Text: "books open"})
		})
		w := record(t)
		tr, err := w.runner().Start(context.WithValue(t.Context(), key{}, 7), tree.Spec{Name: "shop", Children: kids(p.props())})
		require.NoError(t, err)
		w.Tree = tr
		require.Equal(t, actor.Identity{Path: "shop/a", Incarnation: 1}, self)
		require.Equal(t, 7, ctx.Value(key{}))
		require.Equal(t, "books open", w.node("shop/a").Status)
		require.NoError(t, ctx.Err())
		require.NoError(t, w.TerminateChild(t.Context(), "shop/a"))
		require.ErrorIs(t, context.Cause(ctx), actor.ErrRemoved)
		w.stop()
	})
}

// The children that an actor spawns itself end with it.
func TestActorWithItsOwnChildren(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var stopped []string
		helper := proto.PropsFromFunc(func(c proto.Context) {
			if _, ok := c.Message().(*proto.Stopped); ok {
				stopped = append(stopped, "helper")
			}
		})
		p := on("started", func(c proto.Context, _ int) { c.Spawn(helper) })
		w := start(t, tree.Spec{Intensity: unlimited, Children: kids(p.props())})
		w.act("root/a", func(proto.Context) { panic(errBoom) })
		require.Equal(t, []string{"helper"}, stopped)
		w.stop()
		require.Equal(t, []string{"helper", "helper"}, stopped)
	})
}
