package proc

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is run for a process tells what it has to tell where the process does.
func TestCommandsOfAProcessLogWhereItDoes(t *testing.T) {
	var b strings.Builder
	p := &process{cmd: &Command{}, log: slog.New(slog.NewTextHandler(&b, nil)).With("path", "root/p")}
	p.like("x", nil).logger().Warn("careful")
	require.Contains(t, b.String(), `msg=careful path=root/p`)
}

// Who is ready when the time is over is ready.
func TestReadyAtTheLastMoment(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(ErrNotReady)
	for range 100 {
		p := &process{cmd: &Command{}, ready: make(chan struct{})}
		p.becomeReady()
		require.Nil(t, (&health{p: p}).awaitReady(ctx))
	}
}
