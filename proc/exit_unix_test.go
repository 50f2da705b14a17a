//go:build unix

package proc_test

import (
	"context"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/proc"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

func TestExpectedSignals(t *testing.T) {
	for _, c := range []struct {
		name     string
		do       string
		expected []syscall.Signal
		normal   bool
	}{
		{"none", is("die", syscall.SIGKILL), nil, false},
		{"this", is("die", syscall.SIGKILL), []syscall.Signal{syscall.SIGHUP, syscall.SIGKILL}, true},
		{"another", is("die", syscall.SIGKILL), []syscall.Signal{syscall.SIGHUP}, false},
		{"a shell's code for it", "exit=137", []syscall.Signal{syscall.SIGKILL}, false},
		{"code 0", "exit=0", []syscall.Signal{syscall.SIGKILL}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			command := helper(t, c.do)
			command.ExpectedSignals = c.expected
			err := command.Serve(context.Background())
			if c.normal {
				require.NoError(t, err)
				return
			}
			var e *proc.ExitError
			require.ErrorAs(t, err, &e)
		})
	}
}

func TestAnExpectedSignalBeforeReadyIsAFailedStart(t *testing.T) {
	c := helper(t, is("die", syscall.SIGKILL))
	c.Ready = proc.LogLine("never")
	c.ExpectedSignals = []syscall.Signal{syscall.SIGKILL}
	require.True(t, serve(t, c).exited().BeforeReady)
}

func TestExpectedSignalsAreChecked(t *testing.T) {
	for _, s := range []syscall.Signal{-1, 0, 65} {
		c := &proc.Command{Path: "a", ExpectedSignals: []syscall.Signal{syscall.SIGHUP, s}}
		require.ErrorContains(t, c.Validate(), "ExpectedSignals[1]: no such signal: ")
	}
	require.NoError(t, (&proc.Command{Path: "a", ExpectedSignals: []syscall.Signal{1, 64}}).Validate())
}

// An expected signal is a normal end for the restart policy, too.
func TestExpectedSignalInATree(t *testing.T) {
	c := helper(t, is("die", syscall.SIGKILL))
	c.ExpectedSignals = []syscall.Signal{syscall.SIGKILL}
	w := start(t, tree.Child{Name: "p", Service: c, Restart: strategies.Transient})
	require.NoError(t, w.await(tree.ChildEnded, 1).Err)
}

func TestExitErrorTellsWhatWasUsed(t *testing.T) {
	e := serve(t, helper(t, "exit=3")).exited()
	require.Positive(t, e.Ran)
	require.Positive(t, e.User+e.Sys)
}
