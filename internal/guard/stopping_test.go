package guard_test

import (
	"runtime"
	"testing"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/internal/guard"
)

// However an actor dies, and in whatever it dies again while it stops: every
// failure is told, the end is told once, as the last thing, and nothing brings it
// back.
func TestDyingTwice(t *testing.T) {
	type handlers map[string]func(actor.Context)
	boom := func(actor.Context) { panic(errBoom) }
	goexit := func(actor.Context) { runtime.Goexit() }
	exit := func(c actor.Context) { guard.From(c).End(c, errBoom) }
	stop := func(c actor.Context) { c.Stop(c.Self()) }
	poison := func(c actor.Context) { c.Poison(c.Self()) }
	for name, c := range map[string]struct {
		on   handlers
		want string
	}{
		"panic everywhere": {
			handlers{"Started": boom, "Stopping": boom, "Stopped": boom},
			"Started, panic boom, Stopping, panic boom, Stopped, panic boom, stopped",
		},
		"panic, then goexit in Stopping": {
			handlers{"string": boom, "Stopping": goexit},
			"Started, ready, string, panic boom, Stopping, goexit",
		},
		"panic, then goexit in Stopped": {
			handlers{"string": boom, "Stopped": goexit},
			"Started, ready, string, panic boom, Stopping, Stopped, goexit",
		},
		"goexit in Stopping": {
			handlers{"Stopping": goexit},
			"Started, ready, string, string, Stopping, goexit",
		},
		"goexit in Stopped": {
			handlers{"Stopped": goexit},
			"Started, ready, string, string, Stopping, Stopped, goexit",
		},
		"exit, then panic in Stopping": {
			handlers{"string": exit, "Stopping": boom},
			"Started, ready, string, exit boom, Stopping, panic boom, Stopped, stopped",
		},
		"exit in Stopping": {
			handlers{"Stopping": exit},
			"Started, ready, string, string, Stopping, exit boom, Stopped, stopped",
		},
		"exit in Stopped": {
			handlers{"Stopped": exit},
			"Started, ready, string, string, Stopping, Stopped, exit boom, stopped",
		},
		"stops itself": {
			handlers{"string": stop},
			"Started, ready, string, Stopping, Stopped, stopped",
		},
		"stops itself in Started": {
			handlers{"Started": stop},
			"Started, ready, Stopping, Stopped, stopped",
		},
		"poisons itself, behind what is there": {
			handlers{"Started": poison},
			"Started, ready, Stopping, Stopped, stopped",
		},
		"stops itself, then panics": {
			handlers{"string": func(c actor.Context) { stop(c); boom(c) }},
			"Started, ready, string, panic boom, Stopping, Stopped, stopped",
		},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, play(t, func(ctx actor.Context, m string) {
				if f := c.on[m]; f != nil {
					f(ctx)
				}
			}))
		})
	}
}
