package proc_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/proc"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

func TestExitErrorTellsMemory(t *testing.T) {
	require.Greater(t, serve(t, helper(t, "exit=3")).exited().MaxRSS, int64(1<<20), "bytes")
}

// Every end tells how the process went, whatever it means to the supervisor, and
// only its own.
func TestEventTellsTheExit(t *testing.T) {
	busy := &proc.Command{Path: "sh", Args: []string{"-c", "i=0; while [ $i -lt 50000 ]; do i=$((i+1)); done; exit 7"}, ExpectedCodes: []int{7}}
	asked := helper(t, "out=up", "wait")
	asked.Ready = proc.LogLine("up")
	w := start(t,
		tree.Child{Name: "asked", Service: asked},
		tree.Child{Name: "busy", Service: busy, Restart: strategies.Temporary},
		tree.Child{Name: "goroutine", Service: actor.Func(func(context.Context) error { return nil }), Restart: strategies.Temporary},
	)
	w.await(tree.ChildEnded, 2)
	require.NoError(t, w.TerminateChild(t.Context(), "root/asked"))
	ends := map[string]tree.Event{}
	for i := range 3 {
		e := w.await(tree.ChildEnded, i+1)
		ends[e.Path] = e
	}
	require.Nil(t, ends["root/goroutine"].Exit)

	e := ends["root/busy"]
	require.Equal(t, actor.ClassNormal, e.Class)
	require.Equal(t, 7, e.Exit.Code)
	require.Positive(t, e.Exit.User+e.Exit.Sys)
	require.GreaterOrEqual(t, e.Exit.Ran, e.Exit.User)
	require.Greater(t, e.Exit.MaxRSS, int64(1<<19))

	e = ends["root/asked"]
	require.Equal(t, actor.ClassShutdown, e.Class)
	require.Positive(t, e.Exit.Ran)
	require.Less(t, e.Exit.Ran, time.Hour)
}

// A start that never came to a process tells nothing of the one before.
func TestFailedStartHasNoExit(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "once")
	require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\nrm \"$0\"; exit 3\n"), 0o700))
	w := start(t, tree.Child{Name: "p", Service: &proc.Command{Path: script}, Policy: strategies.Policy{MaxRestarts: 1, Exhausted: strategies.StayDown}})
	require.Equal(t, 3, w.await(tree.ChildEnded, 1).Exit.Code)
	failed := w.await(tree.StartFailed, 1)
	require.ErrorIs(t, failed.Err, fs.ErrNotExist)
	require.Nil(t, failed.Exit)
}
