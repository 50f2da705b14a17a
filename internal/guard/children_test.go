package guard_test

import (
	"testing"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"
)

// helper is an actor that a guarded one spawns; it says when it has ended.
func helper(end func(string)) *actor.Props {
	return actor.PropsFromFunc(func(c actor.Context) {
		if _, ok := c.Message().(*actor.Stopped); ok {
			end("helper")
		}
	})
}

// An actor has ended when its own children have, however it came to its end.
func TestStoppedAfterItsChildren(t *testing.T) {
	boom := func(actor.Context, string) { panic(errBoom) }
	nothing := func(actor.Context, string) {}
	for name, c := range map[string]struct {
		in   string
		do   func(actor.Context, string)
		want string
	}{
		"asked to":            {"", nothing, "Started, ready, string, string, Stopping, Terminated, Stopped, stopped"},
		"panic":               {"string", boom, "Started, ready, string, panic boom, Stopping, Terminated, Stopped, stopped"},
		"panic in Started":    {"Started", boom, "Started, panic boom, Stopping, Terminated, Stopped, stopped"},
		"panic in Stopping":   {"Stopping", boom, "Started, ready, string, string, Stopping, panic boom, Terminated, Stopped, stopped"},
		"panic in Terminated": {"Terminated", boom, "Started, ready, string, string, Stopping, Terminated, panic boom, Stopped, stopped"},
	} {
		t.Run(name, func(t *testing.T) {
			ended := 0
			got := play(t, func(ctx actor.Context, m string) {
				if m == "Started" {
					ctx.Spawn(helper(func(string) { ended++ }))
				}
				if m == "Stopped" {
					require.Equal(t, 1, ended)
				}
				if m == c.in {
					c.do(ctx, m)
				}
			})
			require.Equal(t, c.want, got)
			require.Equal(t, 1, ended)
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
