package tree_test

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
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

// home is where actors live: a tree, or a system with nobody above them.
type home struct {
	*proto.RootContext
	spawn func(name string, props *proto.Props) *proto.PID

	mu   sync.Mutex
	said map[string][]string // by who said it, the first word
}

func (h *home) say(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	who, what, _ := strings.Cut(fmt.Sprintf(format, args...), " ")
	h.said[who] = append(h.said[who], what)
}

// sameAsPlain requires that actors do the same in a tree as they do without one.
func sameAsPlain(t *testing.T, play func(h *home)) {
	t.Helper()
	said := [2]map[string][]string{{}, {}}
	bubble(t, func(t *testing.T) {
		system := proto.NewActorSystem(proto.WithLoggerFactory(func(*proto.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
		var all []*proto.PID
		h := &home{said: said[0], RootContext: system.Root, spawn: func(name string, props *proto.Props) *proto.PID {
			pid, err := system.Root.SpawnNamed(props, name)
			require.NoError(t, err)
			all = append(all, pid)
			synctest.Wait()
			return pid
		}}
		play(h)
		synctest.Wait()
		for _, pid := range slices.Backward(all) {
			system.Root.Stop(pid)
			synctest.Wait()
		}
		system.Shutdown()
		time.Sleep(time.Minute)
	})
	bubble(t, func(t *testing.T) {
		w := start(t, tree.Spec{Intensity: none})
		h := &home{said: said[1], RootContext: w.System().Root, spawn: func(name string, props *proto.Props) *proto.PID {
			require.NoError(t, w.StartChild(t.Context(), "root", tree.Child{Name: name, Service: actor.Props(props), Restart: strategies.Temporary, StartTimeout: time.Second}))
			return w.PID("root/" + name)
		}}
		play(h)
		w.requireAlive()
		w.stop()
	})
	require.Equal(t, said[0], said[1])
	require.NotEmpty(t, said[0])
}

// kinds of props, by what of their own they have, for the tree does not do the same
// for all of them.
var kinds = map[string][]proto.PropsOption{
	"nothing":    nil,
	"mailbox":    {proto.WithMailbox(proto.Unbounded())},
	"dispatcher": {proto.WithDispatcher(proto.NewSynchronizedDispatcher(10))},
	"spawner":    {proto.WithSpawnFunc(proto.DefaultSpawner)},
	"init":       {proto.WithOnInit(func(proto.Context) {})},
	"middleware": {proto.WithReceiverMiddleware(func(next proto.ReceiverFunc) proto.ReceiverFunc { return next })},
	"decorator": {proto.WithContextDecorator(func(next proto.ContextDecoratorFunc) proto.ContextDecoratorFunc {
		return func(c proto.Context) proto.Context { return next(struct{ proto.Context }{c}) }
	})},
}

func ofEachKind(t *testing.T, play func(h *home, kind []proto.PropsOption)) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			sameAsPlain(t, func(h *home) { play(h, kind) })
		})
	}
}

// Everything that props may have is called, in protoactor's order.
func TestPlainOptions(t *testing.T) {
	sameAsPlain(t, func(h *home) {
		receiver := func(name string) proto.ReceiverMiddleware {
			return func(next proto.ReceiverFunc) proto.ReceiverFunc {
				return func(c proto.ReceiverContext, env *proto.MessageEnvelope) {
					h.say("%s gets %T", name, env.Message)
					next(c, env)
					h.say("%s got it", name)
				}
			}
		}
		decorator := func(name string) proto.ContextDecorator {
			return func(next proto.ContextDecoratorFunc) proto.ContextDecoratorFunc {
				return func(c proto.Context) proto.Context {
					h.say("%s decorates", name)
					return talking{next(c), h, name}
				}
			}
		}
		helper := proto.PropsFromFunc(func(c proto.Context) { h.say("helper gets %T", c.Message()) })
		h.Send(h.spawn("a", proto.PropsFromFunc(
			func(c proto.Context) {
				h.say("a gets %T in %T", c.Message(), c)
				if c.Message() == "go" {
					c.Send(c.SpawnPrefix(helper, "helper"), 1)
				}
			},
			proto.WithSpawnFunc(func(s *proto.ActorSystem, id string, props *proto.Props, parent proto.SpawnerContext) (*proto.PID, error) {
				h.say("spawner")
				pid, err := proto.DefaultSpawner(s, id, props, parent)
				synctest.Wait()
				h.say("spawned")
				return pid, err
			}),
			proto.WithOnInit(func(c proto.Context) { h.say("init %T", c.Message()) }, func(c proto.Context) { h.say("and %T", c.Actor()) }),
			proto.WithReceiverMiddleware(receiver("first"), receiver("second")),
			proto.WithContextDecorator(decorator("outer"), decorator("inner")),
			proto.WithSenderMiddleware(func(next proto.SenderFunc) proto.SenderFunc {
				return func(c proto.SenderContext, to *proto.PID, env *proto.MessageEnvelope) {
					h.say("sends %T in %T", env.Message, c)
					next(c, to, env)
				}
			}),
			proto.WithSpawnMiddleware(func(next proto.SpawnFunc) proto.SpawnFunc {
				return func(s *proto.ActorSystem, id string, props *proto.Props, parent proto.SpawnerContext) (*proto.PID, error) {
					h.say("spawns in %T", parent)
					return next(s, id, props, parent)
				}
			}),
		)), "go")
	})
}

// talking says which messages it lets through.
type talking struct {
	proto.Context
	h    *home
	name string
}

func (c talking) Receive(env *proto.MessageEnvelope) {
	c.h.say("%s receives %T", c.name, env.Message)
	c.Context.Receive(env)
}

// What an init does is there for the actor.
func TestPlainInit(t *testing.T) {
	sameAsPlain(t, func(h *home) {
		var early proto.Context
		begun := time.Now()
		pid := h.spawn("a", proto.PropsFromFunc(
			func(c proto.Context) {
				h.say("a gets %T after %v", c.Message(), time.Since(begun))
				if c.Message() == "go" {
					early.Forward(c.Self()) // once more, through the context that the init had
					c.SetReceiveTimeout(0)
				}
			},
			proto.WithOnInit(func(c proto.Context) {
				early = c
				c.SetReceiveTimeout(time.Second)
				c.Send(c.Spawn(proto.PropsFromFunc(func(c proto.Context) { h.say("helper gets %T", c.Message()) })), "hello")
				synctest.Wait()
			}),
		))
		time.Sleep(2 * time.Second)
		h.Send(pid, 1)
		time.Sleep(2 * time.Second)
	})
}

// answering answers by itself, and is not heard by whoever waits for silence.
type answering struct{ text string }

func (a *answering) GetAutoResponse(c proto.Context) any {
	return fmt.Sprintf("%s %T", a.text, c.Message())
}

var nobody = proto.NewPID("nonhost", "nobody")

type quiet struct{ _ int }

func (*quiet) NotInfluenceReceiveTimeout() {}

type quietAnswering struct{ answering }

func (*quietAnswering) NotInfluenceReceiveTimeout() {}

func TestPlainAutoRespond(t *testing.T) {
	ofEachKind(t, func(h *home, kind []proto.PropsOption) {
		letters := h.ActorSystem().EventStream.Subscribe(func(e any) {
			if e, ok := e.(*proto.DeadLetterEvent); ok {
				h.say("dead: %T", e.Message)
			}
		})
		defer h.ActorSystem().EventStream.Unsubscribe(letters)
		slow := h.spawn("slow", proto.PropsFromFunc(func(c proto.Context) {
			h.say("slow gets %T, header %v, sender %v", c.Message(), c.MessageHeader() != nil && c.MessageHeader().Length() > 0, c.Sender() != nil)
		}, kind...))
		pid := h.spawn("a", proto.PropsFromFunc(func(c proto.Context) {
			h.say("a gets %T, sender %v", c.Message(), c.Sender() != nil)
			switch c.Message().(type) {
			case *answering:
				if c.Sender() == nil { // a future that two answer is a race in protoactor
					c.Forward(slow)
				}
				f := proto.NewFuture(c.ActorSystem(), -1)
				c.ReenterAfter(f, func(any, error) { h.say("a again gets %T, sender %v", c.Message(), c.Sender() != nil) })
				c.Send(f.PID(), 1)
			}
		}, kind...))
		for _, message := range []any{&answering{"one"}, &quietAnswering{answering{"two"}}, &proto.Touch{}, "three"} {
			h.Send(pid, message)
			synctest.Wait()
			env := &proto.MessageEnvelope{Message: message}
			env.SetHeader("a", "b")
			h.Send(pid, env)
			synctest.Wait()
			answer, err := h.RequestFuture(pid, message, time.Second).Result()
			if touched, ok := answer.(*proto.Touched); ok {
				answer = touched.Who != nil
			}
			h.say("answer %v %v", answer, err)
			synctest.Wait()
		}
	})
}

func TestPlainReceiveTimeout(t *testing.T) {
	if info, _ := debug.ReadBuildInfo(); slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		t.Skip("protoactor's own timer races with the actor after a message that leaves it alone")
	}
	for name, message := range map[string]any{
		"loud": "hello", "quiet": &quiet{}, "answering": &answering{}, "quiet and answering": &quietAnswering{},
		"quiet in an envelope":               &proto.MessageEnvelope{Message: &quiet{}, Sender: nobody},
		"quiet and answering in an envelope": &proto.MessageEnvelope{Message: &quietAnswering{}, Sender: nobody},
	} {
		t.Run(name, func(t *testing.T) {
			ofEachKind(t, func(h *home, kind []proto.PropsOption) {
				begun := time.Now()
				pid := h.spawn("a", proto.PropsFromFunc(func(c proto.Context) {
					switch c.Message().(type) {
					case *proto.Started:
						c.SetReceiveTimeout(10 * time.Second)
					default:
						h.say("a gets %T after %v", c.Message(), time.Since(begun))
					}
				}, kind...))
				between := h.spawn("b", proto.PropsFromFunc(func(c proto.Context) {
					if fmt.Sprintf("%T", c.Message()) == fmt.Sprintf("%T", proto.UnwrapEnvelopeMessage(message)) {
						c.Forward(pid)
					}
				}, kind...))
				time.Sleep(4 * time.Second)
				h.Send(pid, message)
				time.Sleep(4 * time.Second)
				h.Send(between, message)
				time.Sleep(time.Minute)
			})
		})
	}
}

// What tells of an actor's life is no more than a message if somebody sends it.
func TestPlainLifecycleMessages(t *testing.T) {
	for _, message := range []any{&proto.Started{}, &proto.Stopping{}, &proto.Stopped{}, &proto.Restarting{}, &proto.Terminated{}, &proto.ReceiveTimeout{}} {
		t.Run(fmt.Sprintf("%T", message), func(t *testing.T) {
			ofEachKind(t, func(h *home, kind []proto.PropsOption) {
				pid := h.spawn("a", proto.PropsFromFunc(func(c proto.Context) { h.say("a gets %T", c.Message()) }, kind...))
				h.Send(pid, message)
				h.Request(pid, message)
				synctest.Wait()
				h.Send(pid, "hello")
				synctest.Wait()
			})
		})
	}
}

// One who forwards all there is forwards what protoactor lets it.
func TestPlainForward(t *testing.T) {
	ofEachKind(t, func(h *home, kind []proto.PropsOption) {
		last := h.spawn("last", proto.PropsFromFunc(func(c proto.Context) {
			h.say("last gets %T, sender %v", c.Message(), c.Sender() != nil)
			if c.Sender() != nil {
				c.Respond("answer")
			}
		}, kind...))
		pid := h.spawn("first", proto.PropsFromFunc(func(c proto.Context) { c.Forward(last) }, kind...))
		h.Send(pid, 1)
		h.Send(pid, &quiet{})
		synctest.Wait()
		answer, err := h.RequestFuture(pid, "hello", time.Second).Result()
		h.say("answer %v %v", answer, err)
		h.Stop(pid)
		synctest.Wait()
		h.Send(last, "hello")
	})
}

// Middleware need not pass on all it gets.
func TestPlainMiddlewareThatDrops(t *testing.T) {
	sameAsPlain(t, func(h *home) {
		pid := h.spawn("a", proto.PropsFromFunc(
			func(c proto.Context) { h.say("a gets %T", c.Message()) },
			proto.WithReceiverMiddleware(func(next proto.ReceiverFunc) proto.ReceiverFunc {
				return func(c proto.ReceiverContext, env *proto.MessageEnvelope) {
					if _, ok := env.Message.(int); ok {
						next(c, env)
					}
				}
			}),
		))
		h.Send(pid, 1)
		h.Send(pid, "hello")
	})
}

// A spawner may spawn more than one actor of the props, as a router does.
func TestPlainPool(t *testing.T) {
	ofEachKind(t, func(h *home, kind []proto.PropsOption) {
		made := 0
		one := proto.PropsFromProducer(func() proto.Actor {
			made++
			me := made
			return proto.ReceiveFunc(func(c proto.Context) { h.say("%d gets %T", me, c.Message()) })
		}, kind...)
		pool := one.Clone(proto.WithSpawnFunc(func(s *proto.ActorSystem, id string, props *proto.Props, parent proto.SpawnerContext) (*proto.PID, error) {
			props = props.Clone(proto.WithSpawnFunc(nil))
			return proto.DefaultSpawner(s, id, proto.PropsFromFunc(func(c proto.Context) {
				switch c.Message().(type) {
				case *proto.Started:
					for range 3 {
						c.Spawn(props)
					}
				case string:
					for _, pid := range c.Children() {
						c.Forward(pid)
					}
				case int:
					c.Stop(c.Children()[0])
				}
			}), parent)
		}))
		pid := h.spawn("pool", pool)
		synctest.Wait()
		h.Send(pid, "hello")
		synctest.Wait()
		h.Send(pid, 1)
		synctest.Wait()
		h.Send(pid, "hello")
		synctest.Wait()
	})
}

// The context is all that protoactor's is.
func TestPlainContext(t *testing.T) {
	ofEachKind(t, func(h *home, kind []proto.PropsOption) {
		h.Send(h.spawn("a", proto.PropsFromFunc(func(c proto.Context) {
			_, supervisor := c.(proto.Supervisor)
			_, invoker := c.(proto.MessageInvoker)
			_, stringer := c.(fmt.Stringer)
			_, goStringer := c.(fmt.GoStringer)
			h.say("a gets %T: %v, %v, %v, %v", c.Message(), supervisor, invoker, stringer, goStringer)
		}, kind...)), "hello")
	})
}
