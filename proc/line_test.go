package proc

import (
	"context"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
)

// order is a probe and a handler that notes who was asked first.
type order struct{ asked []string }

func (o *order) validate() error                          { return nil }
func (o *order) String() string                           { return "order" }
func (o *order) line(string) bool                         { o.asked = append(o.asked, "probe"); return true }
func (o *order) Enabled(context.Context, slog.Level) bool { return true }
func (o *order) WithAttrs([]slog.Attr) slog.Handler       { return o }
func (o *order) WithGroup(string) slog.Handler            { return o }
func (o *order) Handle(context.Context, slog.Record) error {
	o.asked = append(o.asked, "log")
	return nil
}

// Who sees that a child is ready finds the line that said so in the log.
func TestALineIsLoggedBeforeItIsProbed(t *testing.T) {
	var seen order
	p := &process{log: slog.New(&seen), waiting: &seen, ready: make(chan struct{})}
	(&output{p: p}).line(t.Context(), []byte("up"))
	require.Equal(t, []string{"log", "probe"}, seen.asked)
	require.Nil(t, p.waiting)
}
