package proc_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/proc"
	"github.com/coppice-go/coppice/tree"
)

// noting is a shell that notes signals and goes on, but for the last of them.
func noting(t *testing.T, last string, signals ...string) (c *proc.Command, noted func() string) {
	name := filepath.Join(t.TempDir(), "noted")
	var script strings.Builder
	for _, s := range signals {
		then := ""
		if s == last {
			then = "; exit 3"
		}
		script.WriteString("trap 'echo -n " + s + " >> " + name + then + "' " + s + "\n")
	}
	script.WriteString("echo up; while :; do sleep 0.01; done")
	return &proc.Command{Path: "/bin/bash", Args: []string{"-c", script.String()}, Ready: proc.LogLine("up"), Logger: silent}, func() string {
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		return string(b)
	}
}

func TestStopSteps(t *testing.T) {
	c, noted := noting(t, "USR2", "TERM", "INT", "USR2")
	c.Stop = []proc.StopStep{
		{Scope: proc.Leader, Wait: 100 * time.Millisecond},
		{Signal: syscall.SIGINT, Scope: proc.Leader, Wait: 100 * time.Millisecond},
		{Signal: syscall.SIGUSR2, Scope: proc.Leader},
	}
	w := start(t, tree.Child{Name: "p", Service: c, Shutdown: patience})
	w.stop()
	require.Equal(t, "TERMINTUSR2", noted())
}

// After the last step there is only force.
func TestStopStepsAreNotEnough(t *testing.T) {
	c, noted := noting(t, "", "TERM", "INT")
	c.Stop = []proc.StopStep{{Scope: proc.Leader, Wait: 100 * time.Millisecond}, {Signal: syscall.SIGINT, Scope: proc.Leader, Wait: 100 * time.Millisecond}}
	w := start(t, tree.Child{Name: "p", Service: c, Shutdown: tree.Infinity})
	w.stop()
	require.Equal(t, "TERMINT", noted())
}

func TestStopCommand(t *testing.T) {
	c, noted := noting(t, "USR2", "USR2")
	c.Stop = []proc.StopStep{{Command: []string{"/bin/sh", "-c", "kill -USR2 $MAINPID"}}}
	w := start(t, tree.Child{Name: "p", Service: c, Shutdown: patience})
	w.stop()
	require.Equal(t, "USR2", noted())
}

// For what a process has left behind the command is run as well, but the number of
// the process may be another's by then.
func TestStopCommandOfAnEndedProcess(t *testing.T) {
	name := file(t)
	orphan := file(t)
	c := helper(t, "spawn="+join(is("ignore", syscall.SIGTERM), "touch="+orphan, "wait"), "until="+orphan, "exit=3")
	c.Grace = patience
	c.Stop = []proc.StopStep{{Command: []string{"/bin/sh", "-c", "echo -n $MAINPID. > " + name + "; kill -9 $(cat " + orphan + ")"}}}
	require.Equal(t, 3, serve(t, c).exited().Code)
	require.Equal(t, ".", content(t, name))
}

// A command that hangs is ended with its step, or by the supervisor's kill.
func TestStopCommandThatHangs(t *testing.T) {
	hangs := []string{"/bin/sh", "-c", "setsid sleep 1000 & sleep 1000"}
	c, noted := noting(t, "USR2", "USR2")
	c.Stop = []proc.StopStep{{Command: hangs, Wait: 50 * time.Millisecond}, {Signal: syscall.SIGUSR2, Scope: proc.Leader}}
	w := start(t, tree.Child{Name: "p", Service: c, Shutdown: patience})
	w.stop()
	require.Equal(t, "USR2", noted())

	c.Stop = []proc.StopStep{{Command: hangs}}
	w = start(t, tree.Child{Name: "p", Service: c, Shutdown: 50 * time.Millisecond})
	w.stop()
}

func TestStopStepsThatAreNonsense(t *testing.T) {
	for want, step := range map[string]proc.StopStep{
		"Stop[0]: Signal: no": {Signal: 99}, "Stop[0]: Signal and Command": {Signal: 1, Command: []string{"x"}},
		"Stop[0]: Command: no program": {Command: []string{""}}, "Stop[0]: Scope": {Scope: 7}, "Stop[0]: Scope and Command": {Scope: proc.All, Command: []string{"x"}},
		"Stop[0]: Command[0]: contains a NUL byte": {Command: []string{"x\x00"}}, "Stop[0]: Wait": {Wait: -1},
	} {
		require.ErrorContains(t, (&proc.Command{Path: "x", Stop: []proc.StopStep{step}}).Validate(), want)
	}
	require.ErrorContains(t, (&proc.Command{Path: "x", Signal: 1, Stop: make([]proc.StopStep, 1)}).Validate(), "Stop and Signal")
}

// Who was not asked with the process itself is asked when it has ended.
func TestStopOfTheLeaderAsksTheOthersLater(t *testing.T) {
	c, noted := noting(t, "TERM", "TERM")
	c.Stop = []proc.StopStep{{Scope: proc.Leader}}
	c.Args[1] = strings.Replace(c.Args[1], "echo up", "(while :; do sleep 0.01; done) & setsid sleep 1000 & echo up", 1)
	w := start(t, tree.Child{Name: "p", Service: c, Shutdown: tree.Infinity})
	w.stop()
	require.Contains(t, noted(), "TERM")
}
