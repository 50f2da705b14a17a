package proc

import (
	"context"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
)

// A logger that blocks may be at a warning of the time before there was a process,
// and tells no pid then.
func TestWarningBeforeTheProcess(t *testing.T) {
	h := &lateHandler{gate: make(chan struct{}), got: make(chan slog.Record)}
	p := &process{log: slog.New(h)}
	p.warn("early")
	p.pid = 7
	close(h.gate)
	require.Zero(t, (<-h.got).NumAttrs())
	go p.warn("late")
	var got []slog.Attr
	(<-h.got).Attrs(func(a slog.Attr) bool {
		got = append(got, a)
		return true
	})
	require.Len(t, got, 1)
	require.True(t, got[0].Equal(slog.Int("pid", 7)))
}

type lateHandler struct {
	gate chan struct{}
	got  chan slog.Record
}

func (*lateHandler) Enabled(context.Context, slog.Level) bool { return true }
func (h *lateHandler) WithGroup(string) slog.Handler          { return h }
func (h *lateHandler) WithAttrs([]slog.Attr) slog.Handler     { return h }

func (h *lateHandler) Handle(_ context.Context, r slog.Record) error {
	<-h.gate
	h.got <- r
	return nil
}
