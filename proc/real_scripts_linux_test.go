package proc_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/proc"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

// bash runs a script in a place of its own, ready when it says "up".
func bash(t testing.TB, script string) *proc.Command {
	return &proc.Command{
		Path: need(t, "bash", "bash"), Args: []string{"-c", script}, Dir: place(t), Ready: proc.LogLine("^up$"), Logger: silent,
	}
}

// What a script does with the signal of its stop is its own affair, and how long
// it takes too, as long as it has time.
func TestBashTraps(t *testing.T) {
	// The signal that comes before the foreground program does is not that one's.
	const foreground = "bash -c 'echo up; exec sleep 1000'"
	const clean = "touch lock; trap 'echo cleaning; rm lock; exit 0' TERM; "
	for name, x := range map[string]struct {
		script string
		scope  proc.Scope
		cleans bool          // before it ends
		grace  time.Duration // that is used up; 0: it is in time
	}{
		"a foreground program gets it too":             {clean + foreground, proc.Group, true, 0},
		"alone, it waits for its foreground program":   {clean + foreground, proc.Leader, false, short},
		"waiting for a background program, it is free": {clean + "sleep 1000 & echo up; wait", proc.Leader, true, 0},
		"it does not listen":                           {"touch lock; trap '' TERM; echo up; sleep 1000; sleep 1000", proc.Group, false, short},
		"a pipeline":                                   {clean + "yes | cat | { echo up >&2; exec cat > /dev/null; }", proc.Group, true, 0},
		"jobs in groups of their own":                  {"set -m; " + clean + "sleep 1000 & sleep 1000 | cat & echo up; wait", proc.Leader, true, 0},
		"what it starts does not listen":               {clean + "(trap '' TERM; echo up; sleep 1000) & wait", proc.Group, true, short},
		"it closes its output, and lives on":           {clean + "exec 3>&1 >&- 2>&-; bash -c 'echo up >&3; exec sleep 1000 3>&-'", proc.Group, true, 0},
		"its daemon does not listen":                   {clean + "(setsid bash -c 'trap \"\" TERM; echo up; sleep 1000' &); sleep 1000", proc.Group, true, short},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := bash(t, x.script)
			c.Stop = []proc.StopStep{{Scope: x.scope}}
			if c.Grace = x.grace; c.Grace == 0 {
				c.Grace = patience
			}
			w := start(t, tree.Child{Name: "sh", Service: c, Shutdown: tree.Infinity})
			r := w.stop()
			require.GreaterOrEqual(t, r.Took, x.grace)
			require.Equal(t, x.cleans, !exists(filepath.Join(c.Dir, "lock")))
			require.Empty(t, in(c.Dir))
		})
	}
}

// The end of a pipeline is told as its shell tells it.
func TestBashPipelineThatBreaks(t *testing.T) {
	c := bash(t, "set -o pipefail; echo up; yes | head -1 > /dev/null")
	w := start(t, tree.Child{Name: "sh", Service: c, Restart: strategies.Temporary})
	var e *proc.ExitError
	require.ErrorAs(t, w.await(tree.ChildEnded, 1).Err, &e)
	require.Equal(t, 128+int(syscall.SIGPIPE), e.Code, "SIGPIPE is not ignored")
}

func TestBashIsReloadedAndKilled(t *testing.T) {
	c := bash(t, `trap 'echo again >> said' HUP; (setsid sleep 1000 &); echo up; while :; do sleep 1000 & wait $!; done`)
	w := start(t, tree.Child{Name: "sh", Service: c})
	said := func() (string, error) {
		b, err := os.ReadFile(filepath.Join(c.Dir, "said"))
		return string(b), err
	}
	require.NoError(t, proc.Reload(t.Context(), w, "root/sh"))
	soon(t, "again\n", said)
	w.killed("sh")
	require.NoError(t, proc.Reload(t.Context(), w, "root/sh"))
	soon(t, "again\nagain\n", said)
	w.stop()
	require.Empty(t, in(c.Dir))
}

// A script that stops itself before it is ready is not ready in time, and one that
// does later is not alive.
func TestBashThatStopsItself(t *testing.T) {
	c := bash(t, "kill -STOP $$; echo up")
	c.ReadyTimeout = short
	require.ErrorIs(t, notStartedOnce(t, c), proc.ErrNotReady)

	c = bash(t, "echo $$ > pid; trap 'exit 7' TERM; echo up; kill -STOP $$; sleep 1000")
	c.Alive = &proc.Liveness{
		Probe:    proc.Exec{Path: "/bin/sh", Args: []string{"-c", "! grep '^State:.T' /proc/$(cat pid)/status"}},
		Interval: glance, Timeout: patience, Failures: 2,
	}
	w := start(t, tree.Child{Name: "sh", Service: c, Policy: slow})
	err := w.await(tree.ChildEnded, 1).Err
	require.ErrorIs(t, err, proc.ErrNotAlive)
	var e *proc.ExitError
	require.ErrorAs(t, err, &e)
	require.Equal(t, 7, e.Code, "it was woken up to be stopped")
	w.stop()
}

// pythonServer serves its directory.
func pythonServer(t testing.TB, dir, address string) *proc.Command {
	host, port, _ := strings.Cut(address, ":")
	return &proc.Command{
		Path: need(t, "python3", "python3"), Args: []string{"-m", "http.server", "--bind", host, port}, Dir: dir, Logger: silent,
		Ready: proc.HTTP{URL: "http://" + address + "/"}, ReadyInterval: glance,
		Alive: &proc.Liveness{Probe: proc.TCP{Address: address}, Interval: glance, Timeout: patience},
	}
}

func TestPython(t *testing.T) {
	t.Parallel()
	dir, address := place(t), address(t)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "page"), []byte("hello"), 0o600))
	j := &journal{}
	c := pythonServer(t, dir, address)
	c.Logger, c.Signal = j.logger(), syscall.SIGINT
	w := start(t, tree.Child{Name: "py", Service: c, Shutdown: patience})
	page := func() (string, error) { return get("http://" + address + "/page") }
	soon(t, "hello", page)
	j.await(t, `"GET /page HTTP/1.1" 200`)
	w.killed("py")
	soon(t, "hello", page)
	require.NoError(t, proc.Signal(t.Context(), w, "root/py", syscall.SIGTERM, proc.Leader))
	var e *proc.ExitError
	require.ErrorAs(t, w.await(tree.ChildEnded, 2).Err, &e)
	require.Equal(t, syscall.SIGTERM, e.Signal, "nobody has asked us for that")
	w.await(tree.ChildStarted, 3)
	soon(t, "hello", page)
	w.stop()
	require.Contains(t, strings.Join(j.lines("stderr"), "\n")+strings.Join(j.lines("stdout"), "\n"), "Keyboard interrupt received")
	require.Empty(t, in(dir))
}

// One that forks twice, is its own session's leader's child, and has closed all,
// as a daemon of the old school does.
func TestPythonDaemon(t *testing.T) {
	t.Parallel()
	dir := place(t)
	const daemon = `
import os, signal, sys, time
if os.fork(): os._exit(0)
os.setsid()
parent = os.getpid()
if os.fork(): os._exit(0)
os.closerange(0, 256)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
while os.getppid() == parent: time.sleep(0.001)
with open("pid.new", "w") as f: f.write(str(os.getpid()))
os.rename("pid.new", "pid")
time.sleep(1000)
`
	c := &proc.Command{
		Path: "/bin/bash", Args: []string{"-c", `"$0" -c "$1"; sleep 1000`, need(t, "python3", "python3"), daemon}, Dir: dir, Logger: silent,
		Ready: proc.File{Path: "pid"}, ReadyInterval: glance, Grace: short,
	}
	w := start(t, tree.Child{Name: "d", Service: c})
	old := content(t, filepath.Join(dir, "pid"))
	w.killed("d")
	require.False(t, alive(old))
	now := content(t, filepath.Join(dir, "pid"))
	require.NotEqual(t, old, now)
	_, group, parent, ok := status(now)
	require.True(t, ok)
	require.NotEqual(t, group, strconv.Itoa(w.node("d").PID))
	require.Equal(t, strconv.Itoa(parentOf(t, w.node("d").PID)), parent, "it has fallen to the guardian")
	w.stop()
	require.False(t, alive(now))
	require.Empty(t, in(dir))
}

// A signal that a program gets while it floods ends it all the same.
func TestPythonThatFloods(t *testing.T) {
	t.Parallel()
	c := &proc.Command{
		Path: need(t, "python3", "python3"), Args: []string{"-c", "import sys\nwhile True: sys.stdout.write('flood ' * 1000 + '\\n')"},
		Dir: place(t), Logger: silent, Ready: proc.LogLine("flood"),
	}
	w := start(t, tree.Child{Name: "f", Service: c, Shutdown: patience})
	w.killed("f")
	w.stop()
	require.Empty(t, in(c.Dir))
}
