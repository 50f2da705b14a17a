//go:build unix

package proc_test

import (
	"encoding/json"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/proc"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

// A signal is told apart from the code that a shell would make of it.
func TestEndBySignal(t *testing.T) {
	e := serve(t, helper(t, is("die", syscall.SIGKILL))).exited()
	require.Equal(t, syscall.SIGKILL, e.Signal)
	require.Equal(t, -1, e.Code)
	require.Equal(t, filepath.Base(e.Path)+": signal: killed", e.Error())

	e = serve(t, helper(t, "exit=137")).exited()
	require.Zero(t, e.Signal)
	require.Equal(t, 137, e.Code)
	require.Equal(t, filepath.Base(e.Path)+": exit code 137", e.Error())
}

func TestASignalIsNoExpectedCode(t *testing.T) {
	c := helper(t, is("die", syscall.SIGKILL))
	c.ExpectedCodes = []int{0, 9, 137}
	require.Equal(t, syscall.SIGKILL, serve(t, c).exited().Signal)
}

func TestEndBySignalInATree(t *testing.T) {
	w := start(t, tree.Child{
		Name: "p", Service: helper(t, is("die", syscall.SIGKILL)), Restart: strategies.Transient,
		Policy: strategies.Policy{MaxRestarts: 1, Exhausted: strategies.StayDown},
	})
	w.await(tree.GaveUp, 1)
	end := w.await(tree.ChildEnded, 2)
	require.Equal(t, actor.ClassAbnormal, end.Class)
	var e *proc.ExitError
	require.ErrorAs(t, end.Err, &e)
	require.Equal(t, syscall.SIGKILL, e.Signal)
	n := w.node("p")
	require.Equal(t, syscall.SIGKILL, n.Exit.Signal)
	b, err := json.Marshal(n)
	require.NoError(t, err)
	require.NotContains(t, string(b), "exit_code", "a signal leaves none")
	require.ErrorAs(t, n.LastError, &e)
}

// A process that SIGKILL has to end has still been stopped by us.
func TestKilledByUsIsShutdown(t *testing.T) {
	c := helper(t, is("ignore", syscall.SIGTERM), "out=up", "wait")
	c.Ready = proc.LogLine("up")
	w := start(t, tree.Child{Name: "p", Service: c, Shutdown: tree.Brutal})
	w.stop()
	end := w.await(tree.ChildEnded, 1)
	require.Equal(t, actor.ClassShutdown, end.Class)
	require.NoError(t, end.Err)
	require.Equal(t, syscall.SIGKILL, end.Exit.Signal, "but it is told")
}
