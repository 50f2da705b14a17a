package proc

import (
	"context"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
)

// handler calls a function.
type handler struct {
	slog.Handler
	f func()
}

func (handler) Enabled(context.Context, slog.Level) bool { return true }

func (h handler) WithAttrs([]slog.Attr) slog.Handler { return h }

func (h handler) Handle(context.Context, slog.Record) error { h.f(); return nil }

// A line is in the log before what follows from it: the first line of several that
// were read at once says that the process is ready before the next is logged.
func TestALineIsLoggedBeforeItIsProbed(t *testing.T) {
	p := &process{ready: make(chan struct{}), waiting: LogLine("^up$").(liner), tail: newTail(0)}
	var ready []bool
	log := func() {
		select {
		case <-p.ready:
			ready = append(ready, true)
		default:
			ready = append(ready, false)
		}
	}
	o := &output{p: p, tail: tailing{tail: p.tail}, sink: &sink{p: p, ctx: t.Context(), log: handler{nil, log}}}
	o.take([]byte("loading\nup\nserving\n"))
	require.Equal(t, []bool{false, false, true}, ready)
}
