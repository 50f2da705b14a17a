package proc_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/proc"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

func TestExitZeroIsNormal(t *testing.T) {
	require.NoError(t, serve(t, helper(t)).end())
}

func TestExitCode(t *testing.T) {
	e := serve(t, helper(t, "out=working", "err=disk full", "err=", "exit=3")).exited()
	require.Equal(t, 3, e.Code)
	require.Equal(t, 3, e.ExitCode())
	require.Zero(t, e.Signal)
	require.Positive(t, e.PID)
	require.False(t, e.BeforeReady)
	require.ElementsMatch(t, []string{"working", "disk full", ""}, e.LastLines)
	require.Equal(t, filepath.Base(e.Path)+": exit code 3: disk full", e.Error())
}

func TestLastLinesAreTheLastAndCut(t *testing.T) {
	e := serve(t, helper(t, "lines=100", "exit=1")).exited()
	require.Equal(t, []string{
		"line 91", "line 92", "line 93", "line 94", "line 95", "line 96", "line 97", "line 98", "line 99", "line 100",
	}, e.LastLines)
	e = serve(t, helper(t, "long=5000", "exit=1")).exited()
	require.Len(t, e.LastLines, 1)
	require.Less(t, len(e.LastLines[0]), 600)
}

func TestExpectedCodes(t *testing.T) {
	c := helper(t, "exit=7")
	c.ExpectedCodes = []int{3, 7}
	require.NoError(t, serve(t, c).end())
	c = helper(t, "exit=8")
	c.ExpectedCodes = []int{3, 7}
	require.Equal(t, 8, serve(t, c).exited().Code)
}

// What an end leads to in a tree: its class, and whether there is a restart.
func TestEndsInATree(t *testing.T) {
	for _, c := range []struct {
		name      string
		steps     []string
		restart   strategies.Restart
		class     actor.Class
		restarted bool
	}{
		{"permanent, normal", []string{"exit=0"}, strategies.Permanent, actor.ClassNormal, true},
		{"permanent, abnormal", []string{"exit=3"}, strategies.Permanent, actor.ClassAbnormal, true},
		{"transient, normal", []string{"exit=0"}, strategies.Transient, actor.ClassNormal, false},
		{"transient, expected", []string{"exit=9"}, strategies.Transient, actor.ClassNormal, false},
		{"transient, abnormal", []string{"exit=3"}, strategies.Transient, actor.ClassAbnormal, true},
		{"temporary, normal", []string{"exit=0"}, strategies.Temporary, actor.ClassNormal, false},
		{"temporary, abnormal", []string{"exit=3"}, strategies.Temporary, actor.ClassAbnormal, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cmd := helper(t, c.steps...)
			cmd.ExpectedCodes = []int{9}
			w := start(t, tree.Child{Name: "p", Service: cmd, Restart: c.restart})
			end := w.await(tree.ChildEnded, 1)
			require.Equal(t, c.class, end.Class)
			if c.class == actor.ClassAbnormal {
				var e *proc.ExitError
				require.ErrorAs(t, end.Err, &e)
				require.Equal(t, 3, e.Code)
			} else {
				require.NoError(t, end.Err)
			}
			if c.restarted {
				require.Equal(t, 2, w.await(tree.ChildStarted, 2).Incarnation)
				return
			}
			w.await(tree.NotRestarted, 1)
			w.stop()
			require.Len(t, w.have(tree.ChildStarted), 1)
		})
	}
}

func TestStoppedByUsIsShutdown(t *testing.T) {
	c := helper(t, "out=up", "wait")
	c.Ready = proc.LogLine("up")
	w := start(t, tree.Child{Name: "p", Service: c})
	w.stop()
	end := w.await(tree.ChildEnded, 1)
	require.Equal(t, actor.ClassShutdown, end.Class)
	require.NoError(t, end.Err)
}

func TestSnapshotOfAProcess(t *testing.T) {
	gate := file(t)
	c := helper(t, "out=up", "until="+gate, "exit=3")
	c.Ready = proc.LogLine("up")
	w := start(t, tree.Child{
		Name: "p", Service: c, Policy: slow,
	})
	n := w.node("p")
	require.Equal(t, tree.Running, n.State)
	require.Equal(t, "process", n.Kind)
	require.Positive(t, n.PID)
	require.Nil(t, n.Exit)
	require.False(t, n.LastStart.IsZero())
	first := n.PID
	began := n.LastStart

	require.NoError(t, touch(gate))
	w.await(tree.RestartPlanned, 1)
	n = w.node("p")
	require.Equal(t, tree.Restarting, n.State)
	require.Zero(t, n.PID)
	require.NotNil(t, n.Exit)
	require.Equal(t, 3, n.Exit.Code)
	require.Equal(t, began, n.LastStart)
	var e *proc.ExitError
	require.ErrorAs(t, n.LastError, &e)
	require.Equal(t, first, e.PID)
}

func TestExitCodeStaysWhileDown(t *testing.T) {
	w := start(t, tree.Child{
		Name: "p", Service: helper(t, "exit=5"), Policy: strategies.Policy{MaxRestarts: 1, Exhausted: strategies.StayDown},
	})
	w.await(tree.GaveUp, 1)
	n := w.node("p")
	require.Equal(t, tree.Down, n.State)
	require.NotNil(t, n.Exit)
	require.Equal(t, 5, n.Exit.Code)
	require.Equal(t, 2, n.Incarnation)
	require.Zero(t, n.PID)
}

// A process cannot play with the terminal of who reads the error.
func TestErrorIsPrintable(t *testing.T) {
	c := helper(t, `rawerr=a\x1b[31mb\a\x00c\td\xff\u202e\n`, "exit=3")
	e := serve(t, c).exited()
	require.Contains(t, e.Error(), ": a [31mb  c d\uFFFD")
	require.Equal(t, []string{"a\x1b[31mb\a\x00c\td\uFFFD\u202e"}, e.LastLines, "as it is, for who wants it")
}
