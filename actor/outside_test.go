package actor_test

import (
	"context"
	"testing"

	proto "github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
)

// Code that is written for a tree runs outside one too: what it says is not heard.
func TestOutsideATree(t *testing.T) {
	for _, ctx := range []context.Context{t.Context(), nil} {
		_, ok := actor.Self(ctx)
		require.False(t, ok)
		require.Nil(t, actor.Killed(ctx))
		actor.Ready(ctx)
		actor.Beat(ctx)
		actor.SetStatus(ctx, actor.Status{Text: "alone"})
	}
}

func TestFunc(t *testing.T) {
	require.Error(t, actor.Func(nil).Serve(t.Context()))
	require.ErrorIs(t, actor.Func(func(context.Context) error { return errBoom }).Serve(t.Context()), errBoom)
}

func TestProps(t *testing.T) {
	props := proto.PropsFromFunc(func(proto.Context) {})
	a := actor.Props(props)
	require.Same(t, props, a.Props())
	require.Equal(t, "actor", a.Kind())
	require.True(t, a.AnnouncesReady())
	require.NoError(t, a.Validate())
	require.Error(t, a.Serve(t.Context()))
	require.Error(t, actor.Props(nil).Validate())
	require.Error(t, (*actor.Actor)(nil).Validate())
}
