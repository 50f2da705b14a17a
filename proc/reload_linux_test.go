package proc_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/proc"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

func awaited(t *testing.T, steps ...string) *world {
	c := notifying(t, append(steps, "say=READY=1", "wait")...)
	c.Reload = &proc.Reloading{Await: true}
	return start(t, tree.Child{Name: "p", Service: c, Restart: strategies.Temporary})
}

// A reload is over when the process says so.
func TestReloadIsAwaited(t *testing.T) {
	w := awaited(t, "on=1,say=RELOADING=1|say=STATUS=again|say=READY=1|wait")
	require.NoError(t, proc.Reload(t.Context(), w, "root/p"))
	require.Equal(t, "again", w.node("p").Status)
	w.stop()
}

// Some of the signals may become one.
func TestReloadIsAwaitedByAll(t *testing.T) {
	w := awaited(t, "on=1,say=RELOADING=1|say=READY=1|wait")
	done := make(chan error)
	for range 5 {
		go func() { done <- proc.Reload(t.Context(), w, "root/p") }()
	}
	for range 5 {
		require.NoError(t, <-done)
	}
	w.stop()
}

func TestReloadThatIsNotDone(t *testing.T) {
	for name, steps := range map[string]string{
		"not begun":      "on=1,say=READY=1|say=STATUS=seen|wait",
		"not done":       "on=1,say=RELOADING=1|say=STATUS=seen|wait",
		"an earlier one": `on=1,say=RELOADING=1\nMONOTONIC_USEC=1|say=READY=1\nSTATUS=seen|wait`,
	} {
		w := awaited(t, steps)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- proc.Reload(ctx, w, "root/p") }()
		require.Eventually(t, func() bool { return strings.HasSuffix(w.node("p").Status, "seen") }, patience, glance)
		cancel()
		require.ErrorIs(t, <-done, context.Canceled, name)
		w.stop()
	}
	w := awaited(t, "on=1,say=RELOADING=1|exit=3")
	require.ErrorIs(t, proc.Reload(t.Context(), w, "root/p"), os.ErrProcessDone)
}
