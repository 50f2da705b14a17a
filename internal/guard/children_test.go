package guard_test

import (
	"strings"
	"testing"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"
)

// helper is an actor that a guarded one spawns; it says when it has ended.
func helper(end func()) *actor.Props {
	return actor.PropsFromFunc(func(c actor.Context) {
		if _, ok := c.Message().(*actor.Stopped); ok {
			end()
		}
	})
}

// An actor has ended when its own children have, however it came to its end.
func TestStoppedAfterItsChildren(t *testing.T) {
	for _, in := range []string{"nowhere", "Started", "string", "Stopping", "Terminated", "Stopped"} {
		t.Run("panic in "+in, func(t *testing.T) {
			ended := 0
			got := play(t, func(ctx actor.Context, m string) {
				switch m {
				case "Started":
					ctx.Spawn(helper(func() { ended++ }))
				case "Terminated", "Stopped":
					require.Equal(t, 1, ended)
				}
				if m == in {
					panic(errBoom)
				}
			})
			require.Equal(t, 1, ended)
			got = strings.ReplaceAll(got, "panic boom, ", "")
			require.True(t, strings.HasSuffix(got, "Terminated, Stopped, stopped"), got)
			require.Equal(t, 1, strings.Count(got, "stopped"), got)
		})
	}
}

// A child that fails is the business of its parent's own strategy: the guard does
// not hear of it.
func TestChildFailureIsNotTheActors(t *testing.T) {
	failing := actor.PropsFromFunc(func(c actor.Context) {
		if _, ok := c.Message().(string); ok {
			panic("helper")
		}
	})
	got := play(t, func(c actor.Context, m string) {
		if m == "Started" {
			c.Send(c.Spawn(failing), "go")
		}
	})
	require.Equal(t, "Started, ready, string, string, Stopping, Terminated, Stopped, stopped", got)
}
