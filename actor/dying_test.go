package actor_test

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

// A panic is a failure whatever its value is; what was meant to steer upwards or
// to come back later is not "nothing to run".
func TestIgnoreHidesFailures(t *testing.T) {
	for name, err := range map[string]error{
		"panic":    actor.NewPanicError(actor.ErrIgnore),
		"escalate": actor.Escalate(actor.ErrIgnore),
		"later":    actor.RetryAfter(time.Second, actor.ErrIgnore),
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, actor.ClassStartFailed, actor.Classify(err, false, false).Class)
		})
	}
}

// RetryAfter "returns an abnormal end", as Escalate does with the same error.
func TestRetryAfterShutdown(t *testing.T) {
	end := actor.Classify(actor.RetryAfter(time.Minute, actor.ErrShutdown), false, true)
	require.Equal(t, actor.ClassAbnormal, end.Class)
	require.Equal(t, time.Minute, end.RetryAfter)
}

// watched runs s as the child "root/a", tells it "go", and returns what was told
// of its first incarnation's end; nil after an hour of silence. What is wedged
// then fails the test that calls it, and no other.
func watched(t *testing.T, s actor.Service) (end *tree.Event) {
	defer func() {
		if r := recover(); r != nil {
			t.Errorf("wedged: %v", r)
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		var mu sync.Mutex
		r := quiet
		r.OnEvent = func(e tree.Event) {
			mu.Lock()
			defer mu.Unlock()
			if end == nil && (e.Kind == tree.ChildEnded || e.Kind == tree.StartFailed || e.Kind == tree.ChildStuck) {
				end = &e
			}
		}
		tr, err := r.Start(ctx, tree.Spec{
			Intensity: strategies.Intensity{Max: strategies.Unlimited},
			Children:  []tree.Child{{Name: "a", Service: s, Restart: strategies.Temporary}},
		})
		if err != nil {
			return
		}
		if pid := tr.PID("root/a"); pid != nil {
			tr.System().Root.Send(pid, "go")
		}
		_ = tr.Wait(context.WithoutCancel(ctx))
		settle()
		mu.Lock()
		defer mu.Unlock()
	})
	return end
}

// died is how an actor's panic or Goexit reads, wherever in it that was.
func died(t *testing.T, end *tree.Event, panicked bool) {
	t.Helper()
	require.NotNil(t, end, "its end was not noticed")
	require.Equal(t, tree.ChildEnded, end.Kind)
	require.Equal(t, actor.ClassAbnormal, end.Class)
	require.Zero(t, end.Ran, "noticed at once")
	if !panicked {
		require.ErrorIs(t, end.Err, actor.ErrGoexit)
		return
	}
	var p *actor.PanicError
	require.ErrorAs(t, end.Err, &p)
	require.NotEmpty(t, p.Stack)
}

var deaths = map[string]func(){
	"panic with text":        func() { panic("boom") },
	"panic with an error":    func() { panic(errBoom) },
	"panic with ErrShutdown": func() { panic(actor.ErrShutdown) },
}

// A continuation of ReenterAfter is the actor's code as a handler is. Of Goexit
// there nothing is known.
func TestDeathInContinuation(t *testing.T) {
	for name, die := range deaths {
		t.Run(name, func(t *testing.T) {
			died(t, watched(t, actor.Props(proto.PropsFromFunc(func(c proto.Context) {
				if c.Message() == "go" {
					f := proto.NewFuture(c.ActorSystem(), time.Second)
					c.ReenterAfter(f, func(any, error) { die() })
					c.Send(f.PID(), "done")
				}
			}))), true)
		})
	}
}

// hooked is an actor whose own receiver middleware calls f with each message.
func hooked(f func(message any)) *actor.Actor {
	return actor.Props(proto.PropsFromFunc(func(proto.Context) {}, proto.WithReceiverMiddleware(
		func(next proto.ReceiverFunc) proto.ReceiverFunc {
			return func(c proto.ReceiverContext, env *proto.MessageEnvelope) {
				f(env.Message)
				next(c, env)
			}
		})))
}

// So is a middleware of the props.
func TestDeathInMiddleware(t *testing.T) {
	for name, die := range deaths {
		t.Run(name, func(t *testing.T) {
			died(t, watched(t, hooked(func(m any) {
				if m == "go" {
					die()
				}
			})), true)
		})
	}
}

// A middleware that dies while the actor stops does not make it stuck.
func TestDeathInMiddlewareWhileStopping(t *testing.T) {
	for name, die := range deaths {
		for event, is := range map[string]func(any) bool{
			"Stopping": func(m any) bool { _, ok := m.(*proto.Stopping); return ok },
			"Stopped":  func(m any) bool { _, ok := m.(*proto.Stopped); return ok },
		} {
			t.Run(name+" in "+event, func(t *testing.T) {
				end := watched(t, hooked(func(m any) {
					if is(m) {
						die()
					}
				}))
				require.NotNil(t, end)
				require.Equal(t, tree.ChildEnded, end.Kind)
			})
		}
	}
}

// A Goexit before the actor is ready fails the start, instead of wedging the tree.
func TestGoexitBeforeReady(t *testing.T) {
	for name, s := range map[string]actor.Service{
		"producer": actor.Props(proto.PropsFromProducer(func() proto.Actor { runtime.Goexit(); return nil })),
	} {
		t.Run(name, func(t *testing.T) {
			end := watched(t, s)
			require.NotNil(t, end, "its end was not noticed")
			require.Equal(t, tree.StartFailed, end.Kind)
			require.ErrorIs(t, end.Err, actor.ErrGoexit)
		})
	}
}

// The actors that a child spawned end with it, after a Goexit too.
func TestGoexitLeavesChildren(t *testing.T) {
	stopped := false
	helper := proto.PropsFromFunc(func(c proto.Context) {
		if _, ok := c.Message().(*proto.Stopped); ok {
			stopped = true
		}
	})
	died(t, watched(t, actor.Props(proto.PropsFromFunc(func(c proto.Context) {
		switch c.Message().(type) {
		case *proto.Started:
			c.Spawn(helper)
		case string:
			runtime.Goexit()
		}
	}))), false)
	require.True(t, stopped)
}

// After Exit, and after a panic, the actor "handles no further message but
// Stopping and Stopped", though it waits for the actors that it spawned.
func TestMessagesAfterTheEnd(t *testing.T) {
	for name, end := range map[string]func(proto.Context){
		"exit":  func(c proto.Context) { actor.Exit(c, errBoom) },
		"panic": func(proto.Context) { panic(errBoom) },
	} {
		t.Run(name, func(t *testing.T) {
			handled := 0
			watched(t, actor.Props(proto.PropsFromFunc(func(c proto.Context) {
				switch c.Message().(type) {
				case *proto.Started:
					c.Spawn(proto.PropsFromFunc(func(proto.Context) {}))
				case string:
					handled++
					if handled == 1 {
						c.Send(c.Self(), "behind the end")
					}
					end(c)
				}
			})))
			require.Equal(t, 1, handled)
		})
	}
}
