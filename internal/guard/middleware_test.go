package guard_test

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/pprof"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/internal/guard"
)

// spawnGuarded spawns props under hooks that only count.
func spawnGuarded(ctx context.Context, props *actor.Props, said func(string)) (*actor.ActorSystem, *actor.PID) {
	system := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
		return slog.New(slog.DiscardHandler)
	}))
	return system, system.Root.Spawn(guard.Props(props, &guard.Hooks{
		Context:  ctx,
		Ready:    func() { said("ready") },
		Exit:     func(error) { said("exit") },
		Stopped:  func() { said("stopped") },
		Goexit:   func(*actor.PID) { said("goexit") },
		Panicked: func(any, []byte) { said("panic") },
	}))
}

// The props' own options are kept: middleware and decorators see every message,
// and the decorated context leads to the hooks.
func TestOptionsAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said []string
		say := func(s string) { said = append(said, s) }
		type decorated struct{ actor.Context }
		props := actor.PropsFromFunc(
			func(c actor.Context) {
				require.IsType(t, decorated{}, c)
				require.NotNil(t, guard.From(c))
				if c.Message() == "go" {
					guard.From(c).End(c, nil)
				}
			},
			actor.WithContextDecorator(func(next actor.ContextDecoratorFunc) actor.ContextDecoratorFunc {
				return func(c actor.Context) actor.Context { return decorated{next(c)} }
			}),
			actor.WithReceiverMiddleware(func(next actor.ReceiverFunc) actor.ReceiverFunc {
				return func(c actor.ReceiverContext, env *actor.MessageEnvelope) {
					say(fmt.Sprintf("<%T", env.Message))
					next(c, env)
					say(">")
				}
			}),
		)
		system, pid := spawnGuarded(t.Context(), props, say)
		system.Root.Send(pid, "go")
		synctest.Wait()
		require.Equal(t, []string{
			"<*actor.Started", "ready", ">",
			"<string", "exit", ">",
			"<*actor.Stopping", ">",
			"<*actor.Stopped", "stopped", ">",
		}, said)
	})
}

// Each incarnation has hooks of its own, though the props are the same.
func TestIncarnationsHaveTheirOwnHooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		props := actor.PropsFromFunc(func(c actor.Context) {
			if c.Message() == "go" {
				guard.From(c).End(c, nil)
			}
		})
		var first, second []string
		one, pid1 := spawnGuarded(t.Context(), props, func(s string) { first = append(first, s) })
		two, pid2 := spawnGuarded(t.Context(), props, func(s string) { second = append(second, s) })
		one.Root.Send(pid1, "go")
		synctest.Wait()
		require.Equal(t, []string{"ready", "exit", "stopped"}, first)
		require.Equal(t, []string{"ready"}, second)
		two.Root.Stop(pid2)
		synctest.Wait()
		require.Equal(t, []string{"ready", "stopped"}, second)
	})
}

// A handler, and a goroutine that it starts, run under the labels of the
// incarnation's context.
func TestHandlersAreLabelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := pprof.WithLabels(t.Context(), pprof.Labels("guard.test", "yes"))
		profile := make(chan string, 1)
		props := actor.PropsFromFunc(func(c actor.Context) {
			if _, ok := c.Message().(*actor.Started); ok {
				go func() { profile <- goroutines() }()
			}
		})
		system, pid := spawnGuarded(ctx, props, func(string) {})
		require.Contains(t, <-profile, `"guard.test":"yes"`)
		system.Root.Stop(pid)
		synctest.Wait()
	})
}

func goroutines() string {
	var b strings.Builder
	_ = pprof.Lookup("goroutine").WriteTo(&b, 1)
	return b.String()
}
