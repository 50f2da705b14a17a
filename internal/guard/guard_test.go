package guard_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/coppice-go/coppice/internal/guard"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errBoom = errors.New("boom")

// play runs an actor that calls on with every message, sends it "go" and then a
// stop, and returns what its hooks said, in order.
func play(t *testing.T, on func(c actor.Context, message string)) string {
	var said []string
	say := func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	synctest.Test(t, func(t *testing.T) {
		system := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
			return slog.New(slog.DiscardHandler)
		}))
		hooks := &guard.Hooks{
			Context: t.Context(),
			Ready:   func() { say("ready") },
			Exit:    func(err error) { say("exit %v", err) },
			Stopped: func() { say("stopped") },
			Goexit:  func(pid *actor.PID) { say("goexit"); system.ProcessRegistry.Remove(pid) },
			Panicked: func(v any, stack []byte) {
				require.Contains(t, string(stack), "guard_test")
				say("panic %v", v)
			},
		}
		props := actor.PropsFromFunc(func(c actor.Context) {
			name := strings.TrimPrefix(fmt.Sprintf("%T", c.Message()), "*actor.")
			say("%s", name)
			on(c, name)
		})
		pid := system.Root.Spawn(guard.Props(props, hooks))
		synctest.Wait()
		system.Root.Send(pid, "go")
		system.Root.Send(pid, "go")
		synctest.Wait()
		system.Root.Stop(pid)
		time.Sleep(time.Second) // dead letters are counted by a goroutine that lives for a moment
	})
	return strings.Join(said, ", ")
}

func TestHooks(t *testing.T) {
	in := func(message string, f func(actor.Context)) func(actor.Context, string) {
		return func(c actor.Context, m string) {
			if m == message {
				f(c)
			}
		}
	}
	boom := func(actor.Context) { panic(errBoom) }
	goexit := func(actor.Context) { runtime.Goexit() }
	for name, c := range map[string]struct {
		on   func(actor.Context, string)
		want string
	}{
		"orderly":           {func(actor.Context, string) {}, "Started, ready, string, string, Stopping, Stopped, stopped"},
		"panic in Started":  {in("Started", boom), "Started, panic boom, Stopping, Stopped, stopped"},
		"panic":             {in("string", boom), "Started, ready, string, panic boom, Stopping, Stopped, stopped"},
		"panic in Stopping": {in("Stopping", boom), "Started, ready, string, string, Stopping, panic boom, Stopped, stopped"},
		"panic in Stopped":  {in("Stopped", boom), "Started, ready, string, string, Stopping, Stopped, panic boom, stopped"},
		"goexit":            {in("string", goexit), "Started, ready, string, goexit"},
		"goexit in Started": {in("Started", goexit), "Started, goexit"},
		"exit":              {in("string", func(c actor.Context) { guard.From(c).End(c, errBoom) }), "Started, ready, string, exit boom, Stopping, Stopped, stopped"},
		"exit in Started":   {in("Started", func(c actor.Context) { guard.From(c).End(c, nil) }), "Started, exit <nil>, Stopping, Stopped, stopped"},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, play(t, c.on)) })
	}
}

// The props that were given are as they were: they can be used elsewhere.
func TestPropsAreNotChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
			return slog.New(slog.DiscardHandler)
		}))
		guarded := make(chan bool, 1)
		props := actor.PropsFromFunc(func(c actor.Context) {
			if _, ok := c.Message().(*actor.Started); ok {
				guarded <- guard.From(c) != nil
			}
		})
		hooks := &guard.Hooks{Context: context.Background(), Ready: func() {}, Stopped: func() {}}
		one := system.Root.Spawn(guard.Props(props, hooks))
		require.True(t, <-guarded)
		two := system.Root.Spawn(props)
		require.False(t, <-guarded)
		require.NoError(t, system.Root.StopFuture(one).Wait())
		require.NoError(t, system.Root.StopFuture(two).Wait())
	})
}
