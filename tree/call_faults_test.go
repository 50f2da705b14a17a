package tree_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	proto "github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/tree"
)

// systemOf makes a system in which onDeadLetter is called with what reaches nobody.
func systemOf(t *testing.T, onDeadLetter func(*proto.DeadLetterEvent)) *proto.ActorSystem {
	t.Helper()
	s := proto.NewActorSystem(proto.WithDeadLetterRequestLogging(false), // its goroutine stays for good
		proto.WithLoggerFactory(func(*proto.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
	s.EventStream.Subscribe(func(e any) {
		if d, ok := e.(*proto.DeadLetterEvent); ok {
			onDeadLetter(d)
		}
	})
	t.Cleanup(s.Shutdown)
	return s
}

func addresses(s *proto.ActorSystem) (n int) {
	for _, shard := range s.ProcessRegistry.LocalPIDs.LocalPIDs {
		n += shard.Count()
	}
	return n
}

// boxed is an actor whose own mailbox calls post first.
func boxed(post func(any)) *actor.Actor {
	return (&player{}).props(proto.WithMailbox(func() proto.Mailbox { return &trap{proto.Unbounded()(), post} }))
}

// trap is a mailbox that calls post first.
type trap struct {
	proto.Mailbox
	post func(any)
}

func (m *trap) PostUserMessage(message any) {
	m.post(proto.UnwrapEnvelopeMessage(message))
	m.Mailbox.PostUserMessage(message)
}

// A mailbox of the user's own that fails, or blocks, is in the way of nobody, and does
// not make goroutines pile up.
func TestCallForeignMailbox(t *testing.T) {
	bubble(t, func(t *testing.T) {
		gate := make(chan struct{})
		var blocked atomic.Int32
		svc := boxed(func(m any) {
			switch m {
			case "panic":
				panic(errBoom)
			case "block":
				blocked.Add(1)
				<-gate
			}
		})
		w := start(t, tree.Spec{Children: []tree.Child{{Name: "a", Service: svc}}})
		_, err := w.Call(t.Context(), "root/a", "panic")
		var p *actor.PanicError
		require.ErrorAs(t, err, &p)
		for range 10 {
			_, err = w.Call(t.Context(), "root/a", "block")
			require.ErrorIs(t, err, tree.ErrNoAnswer)
		}
		require.EqualValues(t, 1, blocked.Load(), "the others wait outside")
		close(gate)
		answer, err := w.Call(t.Context(), "root/a", respond("hello"))
		require.NoError(t, err)
		require.Equal(t, "hello", answer)
	})
}

// A panic of who subscribes to dead letters is none of the caller's, and shifts no
// answer.
func TestCallIntoAPanic(t *testing.T) {
	bubble(t, func(t *testing.T) {
		broken := true
		system := systemOf(t, func(*proto.DeadLetterEvent) {
			if broken {
				panic(errBoom)
			}
		})
		gate := make(chan struct{})
		dying := on("stopped", func(proto.Context, int) { <-gate })
		tr, err := tree.Runner{Logger: slog.New(slog.DiscardHandler), System: system}.Start(t.Context(), tree.Spec{Children: []tree.Child{
			{Name: "a", Service: (&player{}).props()}, {Name: "dying", Service: dying.props()},
		}})
		require.NoError(t, err)
		terminated := later(func() error { return tr.TerminateChild(t.Context(), "root/dying") })
		_, err = tr.Call(t.Context(), "root/dying", "hello")
		require.ErrorIs(t, err, tree.ErrNotRunning)
		broken = false
		_, err = tr.Call(t.Context(), "root/dying", "hello")
		require.ErrorIs(t, err, tree.ErrNotRunning)
		close(gate)
		require.NoError(t, <-terminated)
		for n := range 5 {
			answer, err := tr.Call(t.Context(), "root/a", respond(n))
			require.NoError(t, err)
			require.Equal(t, n, answer)
		}
		_, err = tr.Stop(t.Context())
		require.NoError(t, err)
	})
}

// What comes of a send long after the end of the tree hurts nobody.
func TestCallThatIsSentAfterTheEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		system := systemOf(t, func(d *proto.DeadLetterEvent) { panic(fmt.Sprintf("%T for %s", d.Message, d.PID.Id)) })
		gate := make(chan struct{})
		svc := boxed(func(m any) {
			if m == "block" {
				<-gate
				panic(errBoom)
			}
		})
		before := addresses(system)
		tr, err := tree.Runner{Logger: slog.New(slog.DiscardHandler), System: system}.Start(t.Context(), tree.Spec{Children: []tree.Child{{Name: "a", Service: svc}}})
		require.NoError(t, err)
		_, err = tr.Call(t.Context(), "root/a", "block")
		require.ErrorIs(t, err, tree.ErrNoAnswer)
		_, err = tr.Stop(t.Context())
		require.NoError(t, err)
		require.Equal(t, before, addresses(system), "an address is left")
		close(gate)
		synctest.Wait()
	})
}

// nosy is an error that looks at the incarnation that ended by it.
type nosy struct{ ctx context.Context }

func (e nosy) Error() string {
	actor.Killed(e.ctx)
	return "nosy"
}

func TestCallEndsByANosyError(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := start(t, tree.Spec{Intensity: unlimited, Children: []tree.Child{{Name: "a", Service: (&player{}).props()}}})
		ask := later(func() error {
			_, err := w.Call(t.Context(), "root/a", does(func(c proto.Context) { actor.Exit(c, nosy{actor.Context(c)}) }))
			return err
		})
		require.EqualError(t, <-ask, "call root/a: not running: incarnation 1 has ended: nosy")
	})
}

// The address for answers is the system's of the moment, which changes when it is
// reached from outside.
func TestCallAddress(t *testing.T) {
	bubble(t, func(t *testing.T) {
		system := systemOf(t, func(*proto.DeadLetterEvent) {})
		tr, err := tree.Runner{Logger: slog.New(slog.DiscardHandler), System: system}.Start(t.Context(), tree.Spec{Children: []tree.Child{{Name: "a", Service: (&player{}).props()}}})
		require.NoError(t, err)
		for _, address := range []string{system.Address(), "10.0.0.1:80"} {
			system.ProcessRegistry.Address = address
			answer, err := tr.Call(t.Context(), "root/a", does(func(c proto.Context) { c.Respond(c.Sender().Address) }))
			require.NoError(t, err)
			require.Equal(t, address, answer)
		}
		_, err = tr.Stop(t.Context())
		require.NoError(t, err)
	})
}

// Many who ask at once all come to an end, in real time and in the shortest.
func TestCallTimeoutIsNotLost(t *testing.T) {
	tr, err := tree.Runner{Logger: slog.New(slog.DiscardHandler), CallTimeout: time.Nanosecond}.Start(t.Context(), tree.Spec{Children: []tree.Child{{Name: "a", Service: (&player{}).props()}}})
	require.NoError(t, err)
	done := make(chan error)
	for range 64 {
		go func() {
			for range 100 {
				if _, err := tr.Call(t.Context(), "root/a", does(func(proto.Context) {})); err == nil {
					done <- errBoom
					return
				}
			}
			done <- nil
		}()
	}
	for range 64 {
		require.NoError(t, <-done)
	}
	_, err = tr.Stop(context.Background())
	require.NoError(t, err)
}
