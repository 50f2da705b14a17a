package proc_test

import (
	"context"
	"os"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/proc"
	"github.com/coppice-go/coppice/tree"
)

func TestStartOfABusyFile(t *testing.T) {
	name := script(t, "#!/bin/sh\n", 0o700)
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	require.NoError(t, err)
	defer f.Close()
	require.ErrorIs(t, notStarted(t, &proc.Command{Path: name}), syscall.ETXTBSY)
}

// Wherever in the start the stop comes, nothing is left.
func TestStopWhileStarting(t *testing.T) {
	for range 50 {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() {
			w := record(t)
			done <- w.runner().Run(ctx, tree.Spec{Children: []tree.Child{{Name: "p", Service: helper(t, "wait")}}})
		}()
		go cancel()
		err := <-done
		if err != nil {
			require.ErrorIs(t, err, context.Canceled)
		}
	}
	require.Empty(t, look())
}

// The process leads a group of its own.
func TestOwnGroup(t *testing.T) {
	c := helper(t, "out=up", "wait")
	c.Ready = proc.LogLine("up")
	w := start(t, tree.Child{Name: "p", Service: c})
	pid := strconv.Itoa(w.node("p").PID)
	_, group, _, ok := status(pid)
	require.True(t, ok)
	require.Equal(t, pid, group)
}
