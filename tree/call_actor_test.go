package tree_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	proto "github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/tree"
)

// does is a request that an actor of player's kind carries out.
type does = func(proto.Context)

func respond(answer any) does { return func(c proto.Context) { c.Respond(answer) } }

// An actor answers by its first response, whatever its props.
func TestCallActor(t *testing.T) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := start(t, tree.Spec{Intensity: unlimited, Children: []tree.Child{{Name: "a", Service: (&player{}).props(kind...)}}})
				call := func(request any) (any, error) { return w.Call(t.Context(), "root/a", request) }
				for i := range 3 {
					answer, err := call(does(func(c proto.Context) {
						c.Respond(i)
						c.Respond("no answer to the next question")
					}))
					require.NoError(t, err)
					require.Equal(t, i, answer)
				}
				answer, err := call(respond(nil))
				require.NoError(t, err)
				require.Nil(t, answer)

				require.NoError(t, w.TerminateChild(t.Context(), "root/a"))
				_, err = call(respond("hello"))
				require.ErrorIs(t, err, tree.ErrNotRunning)
				require.NoError(t, w.RestartChild(t.Context(), "root/a"))
				answer, err = call(respond("hello"))
				require.NoError(t, err)
				require.Equal(t, "hello", answer)
				w.stop()
				_, err = call(respond("hello"))
				require.ErrorIs(t, err, tree.ErrSupervisorStopped)
			})
		})
	}
}

// One who asks an actor that ends learns so at once, with the reason, whether it was his
// question or waits behind another.
func TestCallActorThatEnds(t *testing.T) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := start(t, tree.Spec{Intensity: unlimited, Children: []tree.Child{{Name: "a", Service: (&player{}).props(kind...)}}})
				begun := time.Now()
				gate := make(chan struct{})
				ask := func(f does) <-chan error {
					return later(func() error { _, err := w.Call(t.Context(), "root/a", f); return err })
				}
				first := ask(func(proto.Context) { <-gate; panic(errBoom) })
				second := ask(respond("never"))
				require.True(t, pending(first) && pending(second))
				close(gate)
				for _, ch := range []<-chan error{first, second} {
					err := <-ch
					require.ErrorIs(t, err, tree.ErrNotRunning)
					require.ErrorIs(t, err, errBoom)
				}
				synctest.Wait() // until there is another
				third := ask(func(c proto.Context) { actor.Exit(c, nil) })
				require.EqualError(t, <-third, "call root/a: not running: incarnation 2 has ended")
				require.Zero(t, time.Since(begun))
			})
		})
	}
}

// An answer that was given before the end counts.
func TestCallActorThatAnswersAndEnds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := start(t, tree.Spec{Intensity: unlimited, Children: []tree.Child{{Name: "a", Service: (&player{}).props()}}})
		for range 100 {
			answer, err := w.Call(t.Context(), "root/a", does(func(c proto.Context) { c.Respond("bye"); panic(errBoom) }))
			require.NoError(t, err)
			require.Equal(t, "bye", answer)
			synctest.Wait()
		}
	})
}

// An actor that does not end is given up, and so are questions to it.
func TestCallActorThatIsStuck(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := start(t, tree.Spec{Children: []tree.Child{{Name: "a", Service: (&player{}).props(), Shutdown: time.Second}}})
		gate := make(chan struct{})
		asked := later(func() error {
			_, err := w.Call(t.Context(), "root/a", does(func(proto.Context) { <-gate }))
			return err
		})
		terminated := later(func() error { return w.TerminateChild(t.Context(), "root/a") })
		sleep(4 * time.Second)
		err := <-asked
		require.ErrorIs(t, err, tree.ErrNotRunning)
		require.ErrorIs(t, err, tree.ErrStuck)
		require.ErrorIs(t, <-terminated, tree.ErrStuck)
		close(gate)
		synctest.Wait()
		_, err = w.Call(t.Context(), "root/a", respond("hello"))
		require.ErrorIs(t, err, tree.ErrNotRunning)
	})
}

// Where nobody can answer that is told at once, and what need not be asked is not.
func TestCallActorInVain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		gate := make(chan struct{})
		p := &player{}
		slow := actor.Props(proto.PropsFromProducer(func() proto.Actor { <-gate; return proto.ReceiveFunc(func(proto.Context) {}) }))
		w := start(t, tree.Spec{Children: []tree.Child{{Name: "a", Service: p.props()}}})
		started := later(func() error { return w.StartChild(t.Context(), "root", tree.Child{Name: "slow", Service: slow}) })
		_, err := w.Call(t.Context(), "root/slow", "hello")
		require.ErrorIs(t, err, tree.ErrNotRunning)
		close(gate)
		require.NoError(t, <-started)

		_, err = w.Call(t.Context(), "root/a", does(func(c proto.Context) { c.Forward(proto.NewPID(c.Self().Address, "nobody")) }))
		require.ErrorIs(t, err, tree.ErrNotRunning)
		require.ErrorIs(t, err, proto.ErrDeadLetter)

		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errBoom)
		_, err = w.Call(ctx, "root/a", "hello")
		require.ErrorIs(t, err, errBoom)
		synctest.Wait()
		require.Empty(t, p.heard)
	})
}

// A call is bounded by its context, or else by the tree.
func TestCallTimeout(t *testing.T) {
	late := errors.New("late")
	for _, tt := range []struct {
		name    string
		timeout time.Duration // of the runner
		ctx     time.Duration // 0: no deadline
		takes   time.Duration
		want    error
	}{
		{"default", 0, 0, 5 * time.Second, tree.ErrNoAnswer},
		{"of the runner", time.Minute, 0, time.Minute, tree.ErrNoAnswer},
		{"of a shorter context", 0, time.Second, time.Second, late},
		{"of a longer context", 0, time.Hour, time.Hour, late},
		{"none", tree.Infinity, 0, 24 * time.Hour, nil},
		{"next to none", tree.Infinity - 1, 0, 24 * time.Hour, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := tree.Runner{Logger: slog.New(slog.DiscardHandler), CallTimeout: tt.timeout}
				tr, err := r.Start(t.Context(), tree.Spec{Children: []tree.Child{{Name: "a", Service: (&player{}).props()}}})
				require.NoError(t, err)
				ctx := t.Context()
				if tt.ctx > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeoutCause(ctx, tt.ctx, late)
					defer cancel()
				}
				begun, gate := time.Now(), make(chan struct{})
				time.AfterFunc(24*time.Hour, func() { close(gate) })
				_, err = tr.Call(ctx, "root/a", does(func(c proto.Context) { <-gate; c.Respond("at last") }))
				require.ErrorIs(t, err, tt.want)
				require.Equal(t, tt.takes, time.Since(begun))
				<-gate
				answer, err := tr.Call(t.Context(), "root/a", respond("to this question"))
				require.NoError(t, err)
				require.Equal(t, "to this question", answer, "and not the late one")
				_, err = tr.Stop(t.Context())
				require.NoError(t, err)
			})
		})
	}
}

// Each of many questions that overlap has its own bound and its own answer.
func TestCallTimeoutsOverlap(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := start(t, tree.Spec{Children: []tree.Child{{Name: "a", Service: (&player{}).props()}}})
		var all sync.WaitGroup
		for i := range 100 {
			time.Sleep(time.Second / 10)
			all.Go(func() {
				begun := time.Now()
				answer, err := w.Call(t.Context(), "root/a", does(func(c proto.Context) {
					root, sender := c.ActorSystem().Root, c.Sender()
					if i%3 > 0 {
						time.AfterFunc(time.Duration(i%3)*3*time.Second, func() { root.Send(sender, i) })
					}
				}))
				if i%3 == 1 {
					require.NoError(t, err)
					require.Equal(t, i, answer)
					require.Equal(t, 3*time.Second, time.Since(begun))
				} else {
					require.ErrorIs(t, err, tree.ErrNoAnswer)
					require.Equal(t, 5*time.Second, time.Since(begun))
				}
			})
		}
		all.Wait()
		time.Sleep(time.Minute)
	})
}
