package actor_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	proto "github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/tree"
)

// settle waits for the goroutine that counts dead letters.
func settle() { time.Sleep(time.Second) }

// An actor that is written for a tree can be spawned without one: it has an
// ordinary context, and Exit only stops it.
func TestActorOutsideATree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := proto.NewActorSystem(proto.WithLoggerFactory(func(*proto.ActorSystem) *slog.Logger {
			return slog.New(slog.DiscardHandler)
		}))
		var heard []any
		pid := system.Root.Spawn(proto.PropsFromFunc(func(c proto.Context) {
			require.Equal(t, context.Background(), actor.Context(c))
			switch msg := c.Message().(type) {
			case string:
				heard = append(heard, msg)
				actor.Exit(c, errBoom)
			case *proto.Stopped:
				heard = append(heard, "stopped")
			}
		}))
		system.Root.Send(pid, "one")
		system.Root.Send(pid, "two")
		synctest.Wait()
		require.Equal(t, []any{"one", "stopped"}, heard)
		_, alive := system.ProcessRegistry.Get(pid)
		require.False(t, alive)
		settle()
	})
}

// The actors that a child spawns itself are no children of the tree: they have
// no identity, and their Exit ends them alone.
func TestHelperOfAnActorIsOutside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var helperStopped, childFailed bool
		helper := proto.PropsFromFunc(func(c proto.Context) {
			switch c.Message().(type) {
			case *proto.Started:
				_, ok := actor.Self(actor.Context(c))
				require.False(t, ok)
				actor.Exit(c, errBoom)
			case *proto.Stopped:
				helperStopped = true
			}
		})
		child := actor.Props(proto.PropsFromFunc(func(c proto.Context) {
			switch c.Message().(type) {
			case *proto.Started:
				id, ok := actor.Self(actor.Context(c))
				require.True(t, ok)
				require.Equal(t, "root/a", id.Path)
				c.Spawn(helper)
			case *proto.Stopping:
				childFailed = true
			}
		}))
		tr, err := quiet.Start(t.Context(), tree.Spec{Children: []tree.Child{{Name: "a", Service: child}}})
		require.NoError(t, err)
		synctest.Wait()
		require.True(t, helperStopped)
		require.False(t, childFailed)
		_, err = tr.Stop(t.Context())
		require.NoError(t, err)
		settle()
	})
}

// The same props make many children.
func TestPropsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		paths := make(chan string, 2)
		p := actor.Props(proto.PropsFromFunc(func(c proto.Context) {
			if _, ok := c.Message().(*proto.Started); ok {
				id, _ := actor.Self(actor.Context(c))
				paths <- id.Path
			}
		}))
		tr, err := quiet.Start(t.Context(), tree.Spec{Children: []tree.Child{{Name: "a", Service: p}, {Name: "b", Service: p}}})
		require.NoError(t, err)
		require.Equal(t, "root/a", <-paths)
		require.Equal(t, "root/b", <-paths)
		_, err = tr.Stop(t.Context())
		require.NoError(t, err)
	})
}

func TestNilPropsAreRefused(t *testing.T) {
	for _, a := range []*actor.Actor{nil, actor.Props(nil)} {
		err := quiet.Run(t.Context(), tree.Spec{Children: []tree.Child{{Name: "a", Service: a}}})
		require.ErrorIs(t, err, tree.ErrInvalidSpec)
	}
}
