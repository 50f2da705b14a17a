package actor_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
)

var reasons = []error{
	actor.ErrStopping, actor.ErrSiblingFailed, actor.ErrRemoved,
	actor.ErrReplaced, actor.ErrUnhealthy, actor.ErrEnded,
}

// A cause matches its own reason and none of the others.
func TestStopCauseHasOneReason(t *testing.T) {
	for _, reason := range reasons {
		for _, failure := range []error{nil, errBoom, context.Canceled} {
			cause := &actor.StopCause{Reason: reason, Path: "shop/db", Err: failure}
			for _, other := range reasons {
				require.Equal(t, other == reason, errors.Is(cause, other), "%v, %v", cause, other)
			}
			if failure != nil {
				require.ErrorIs(t, cause, failure)
			}
		}
	}
}

// It reads well with and without its parts.
func TestStopCauseText(t *testing.T) {
	for want, cause := range map[string]actor.StopCause{
		"unhealthy":                         {Reason: actor.ErrUnhealthy},
		"unhealthy (shop)":                  {Reason: actor.ErrUnhealthy, Path: "shop"},
		"unhealthy: heartbeat missed":       {Reason: actor.ErrUnhealthy, Err: actor.ErrNoHeartbeat},
		"sibling failed (shop/db): boom":    {Reason: actor.ErrSiblingFailed, Path: "shop/db", Err: errBoom},
		"replaced by request (shop): panic": {Reason: actor.ErrReplaced, Path: "shop", Err: errors.New("panic")},
	} {
		require.EqualError(t, &cause, want)
	}
}

// It is found in a context, also in one that was derived from the child's.
func TestStopCauseInContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	below, stop := context.WithCancel(ctx)
	defer stop()
	cancel(&actor.StopCause{Reason: actor.ErrSiblingFailed, Path: "shop/db", Err: errBoom})
	for _, c := range []context.Context{ctx, below} {
		require.ErrorIs(t, context.Cause(c), actor.ErrSiblingFailed)
		var cause *actor.StopCause
		require.ErrorAs(t, context.Cause(c), &cause)
		require.Equal(t, "shop/db", cause.Path)
		require.ErrorIs(t, c.Err(), context.Canceled)
	}
}
