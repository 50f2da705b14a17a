package guard_test

import (
	"errors"
	"runtime"
	"testing"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/internal/guard"
)

// What a handler does behind its Exit does not undo it, and is told too.
func TestBehindExit(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		then func(actor.Context)
		want string
	}{
		"goes on":                        {"string", func(actor.Context) {}, "Started, ready, string, exit boom, Stopping, Stopped, stopped"},
		"exit again":                     {"string", func(c actor.Context) { guard.From(c).End(c, errors.New("again")) }, "Started, ready, string, exit boom, exit again, Stopping, Stopped, stopped"},
		"panic":                          {"string", func(actor.Context) { panic("late") }, "Started, ready, string, exit boom, panic late, Stopping, Stopped, stopped"},
		"goexit":                         {"string", func(actor.Context) { runtime.Goexit() }, "Started, ready, string, exit boom, goexit"},
		"panic in Started, never ready":  {"Started", func(actor.Context) { panic("late") }, "Started, exit boom, panic late, Stopping, Stopped, stopped"},
		"goexit in Started, never ready": {"Started", func(actor.Context) { runtime.Goexit() }, "Started, exit boom, goexit"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, play(t, func(ctx actor.Context, m string) {
				if m == c.in {
					guard.From(ctx).End(ctx, errBoom)
					c.then(ctx)
				}
			}))
		})
	}
}

// A handler that recovers from its own panic has not failed.
func TestRecoveredByTheHandler(t *testing.T) {
	require.Equal(t, "Started, ready, string, string, Stopping, Stopped, stopped", play(t, func(actor.Context, string) {
		defer func() { _ = recover() }()
		panic(errBoom)
	}))
}

// A nil panic is one as well.
func TestPanicNil(t *testing.T) {
	require.Contains(t, play(t, func(_ actor.Context, m string) {
		if m == "string" {
			panic(nil)
		}
	}), "Started, ready, string, panic panic called with nil argument")
}
