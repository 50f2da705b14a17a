package proc_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/proc"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

var stoppedState = regexp.MustCompile(`State:\s+T`)

func TestSignalRequest(t *testing.T) {
	c := helper(t, "catch=12,caught,7", "out=up", "wait")
	c.Ready = proc.LogLine("up")
	w := start(t, tree.Child{Name: "p", Service: c, Restart: strategies.Temporary})
	require.NoError(t, proc.Signal(t.Context(), w, "root/p", 0, proc.All))
	require.Error(t, proc.Signal(t.Context(), w, "root/p", 99, proc.All))
	require.Error(t, proc.Signal(t.Context(), w, "root/p", 0, 9))
	require.NoError(t, proc.Signal(t.Context(), w, "root/p", 12, proc.Leader))
	var e *proc.ExitError
	require.ErrorAs(t, w.await(tree.ChildEnded, 1).Err, &e)
	require.Equal(t, 7, e.Code)
	require.ErrorIs(t, proc.Signal(t.Context(), w, "root/p", 12, proc.Leader), tree.ErrNotFound)
}

// What is sent is what was asked for: who is stopped is not woken up.
func TestSignalRequestStops(t *testing.T) {
	c := helper(t, "out=up", "wait")
	c.Ready = proc.LogLine("up")
	w := start(t, tree.Child{Name: "p", Service: c})
	state := func() string {
		b, err := os.ReadFile("/proc/" + strconv.Itoa(w.node("p").PID) + "/status")
		require.NoError(t, err)
		return string(b)
	}
	require.NoError(t, proc.Signal(t.Context(), w, "root/p", syscall.SIGSTOP, proc.Group))
	require.Eventually(t, func() bool { return stoppedState.MatchString(state()) }, patience, glance)
	require.NoError(t, proc.Signal(t.Context(), w, "root/p", syscall.SIGURG, proc.All))
	require.True(t, stoppedState.MatchString(state()))
	require.NoError(t, proc.Signal(t.Context(), w, "root/p", syscall.SIGCONT, proc.All))
	require.Eventually(t, func() bool { return !stoppedState.MatchString(state()) }, patience, glance)
	w.stop()
}

func TestReload(t *testing.T) {
	c := helper(t, "catch=1,reloaded,3", "out=up", "wait")
	c.Ready, c.ExpectedCodes = proc.LogLine("up"), []int{3}
	w := start(t, tree.Child{Name: "p", Service: c, Restart: strategies.Temporary})
	require.NoError(t, proc.Reload(t.Context(), w, "root/p"))
	require.NoError(t, w.await(tree.ChildEnded, 1).Err)

	name := filepath.Join(t.TempDir(), "pid")
	c = helper(t, "out=up", "wait")
	c.Ready, c.Dir = proc.LogLine("up"), filepath.Dir(name)
	c.Reload = &proc.Reloading{Command: []string{"/bin/sh", "-c", "echo -n $MAINPID > pid"}}
	w = start(t, tree.Child{Name: "p", Service: c})
	pid := w.node("p").PID
	require.NoError(t, proc.Reload(t.Context(), w, "root/p"))
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, strconv.Itoa(pid), string(b))
	require.Equal(t, pid, w.node("p").PID, "the program that is run is not the child")

	c.Reload.Command[2] = "echo no >&2; exit 9"
	err = proc.Reload(t.Context(), w, "root/p")
	require.ErrorContains(t, err, "exit code 9")
	require.ErrorContains(t, err, "no")
	c.Reload.Command[2] = "sleep 1000 & setsid sleep 1000"
	ctx, cancel := context.WithTimeout(t.Context(), glance)
	defer cancel()
	require.ErrorIs(t, proc.Reload(ctx, w, "root/p"), context.DeadlineExceeded)
	w.stop()

	for want, r := range map[string]*proc.Reloading{
		"Reload: Signal and Command": {Signal: 1, Command: []string{"x"}}, "Reload: Signal: no": {Signal: 99},
		"Reload: Command: no program": {Command: []string{}}, "Reload: Command[1]: contains a NUL byte": {Command: []string{"x", "\x00"}},
	} {
		require.ErrorContains(t, (&proc.Command{Path: "x", Reload: r}).Validate(), want)
	}
}

// A reload that hangs outlives neither the process nor the tree: what it has started
// is dead when the end is told.
func TestReloadEndsWithTheProcess(t *testing.T) {
	for name, end := range map[string]func(*world){
		"stop": func(w *world) { w.stop() },
		"end": func(w *world) {
			require.NoError(t, proc.Signal(t.Context(), w, "root/p", syscall.SIGKILL, proc.Leader))
			w.await(tree.ChildEnded, 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			trace := file(t)
			c := helper(t, "wait")
			c.Reload = &proc.Reloading{Command: []string{"/bin/sh", "-c", "setsid sleep 1000 & echo -n $! > " + trace + ".new; mv " + trace + ".new " + trace + "; wait"}}
			w := start(t, tree.Child{Name: "p", Service: c, Restart: strategies.Temporary})
			done := make(chan error, 1)
			go func() { done <- proc.Reload(t.Context(), w, "root/p") }()
			pid := content(t, trace)
			require.True(t, alive(pid))
			end(w)
			require.False(t, alive(pid))
			require.Error(t, <-done)
			w.stop()
		})
	}
}

func TestTail(t *testing.T) {
	for keep, want := range map[int][]string{
		0: {"line 96", "line 97", "line 98", "line 99", "line 100"}, 3: {"line 98", "line 99", "line 100"}, -1: nil,
	} {
		c := helper(t, "lines=100", "until="+file(t), "wait")
		c.Ready, c.TailLines = proc.LogLine("line 100"), keep
		w := start(t, tree.Child{Name: "p", Service: c})
		got, err := proc.Tail(t.Context(), w, "root/p", 5)
		require.NoError(t, err)
		require.Equal(t, want, got)
		got, err = proc.Tail(t.Context(), w, "root/p", -1)
		require.NoError(t, err)
		require.Empty(t, got)
		w.stop()
	}
	require.ErrorContains(t, (&proc.Command{Path: "x", TailLines: 10_001}).Validate(), "TailLines")
}

func TestRequestThatIsNone(t *testing.T) {
	w := start(t, tree.Child{Name: "p", Service: helper(t, "wait")})
	_, err := w.Call(t.Context(), "root/p", 7)
	require.ErrorContains(t, err, "takes no int")
	w.stop()
}

func TestSample(t *testing.T) {
	c := &proc.Command{
		Path: "/bin/sh", Args: []string{"-c", "sleep 1000 & setsid sleep 1000 & i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo up; wait"},
		Ready: proc.LogLine("up"), Logger: silent,
	}
	w := start(t, tree.Child{Name: "p", Service: c})
	var u proc.Usage
	require.Eventually(t, func() bool { // setsid may fork once more, and its parent end
		var err error
		u, err = proc.Sample(t.Context(), w, "root/p")
		require.NoError(t, err)
		return u.Processes == 3
	}, patience, glance)
	require.Equal(t, 3, u.Threads)
	require.GreaterOrEqual(t, u.Files, 9)
	require.Greater(t, u.RSS, int64(100<<10))
	require.Positive(t, u.CPU)
	w.stop()
}
