package tree

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"

	proto "github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
)

// late is a context that has ended as soon as everything else has happened.
type late struct {
	context.Context
	ended bool
}

func (c *late) Done() <-chan struct{} {
	synctest.Wait()
	c.ended = true
	return c.Context.Done()
}

func (c *late) Err() error {
	if c.ended {
		return c.Context.Err()
	}
	return nil
}

// An answer that is there counts, whatever else is.
func TestCallThatEndsInThreeWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, err := Runner{Logger: slog.New(slog.DiscardHandler)}.Start(t.Context(), Spec{
			Intensity: strategies.Intensity{Max: strategies.Unlimited},
			Children: []Child{{Name: "a", Service: actor.Props(proto.PropsFromFunc(func(c proto.Context) {
				if c.Message() == "bye" {
					c.Respond("bye")
					actor.Exit(c, nil)
				}
			}))}},
		})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range 50 {
			answer, err := w.Call(&late{Context: ctx}, "root/a", "bye")
			require.NoError(t, err)
			require.Equal(t, "bye", answer)
			synctest.Wait()
		}
		_, err = w.Stop(context.Background())
		require.NoError(t, err)
	})
}

// One who waits for an incarnation to be gone is told once, whichever comes first: its
// end, or that it is given up.
func TestGoneIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, err := Runner{Logger: slog.New(slog.DiscardHandler)}.Start(t.Context(), Spec{
			Children: []Child{{Name: "a", Service: actor.Props(proto.PropsFromFunc(func(proto.Context) {}))}},
		})
		require.NoError(t, err)
		k, _, err := w.lookup("root/a")
		require.NoError(t, err)
		for _, givenUpFirst := range []bool{false, true} {
			i := &incarnation{child: k, gen: 100}
			i.Context, i.cancel = context.WithCancelCause(t.Context())
			gone := i.gone()
			if givenUpFirst {
				i.disown()
				i.end(nil)
			} else {
				i.end(nil)
				i.disown()
			}
			<-gone
			<-i.gone()
			synctest.Wait()
		}
		_, err = w.Stop(context.Background())
		require.NoError(t, err)
	})
}
