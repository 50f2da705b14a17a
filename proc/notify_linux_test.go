package proc_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/proc"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

// notifying is a helper that is ready when it says so.
func notifying(t testing.TB, steps ...string) *proc.Command {
	c := helper(t, steps...)
	c.Ready = proc.Notify{}
	return c
}

// python is a program that has notify(text), which knows nothing of this package.
func python(t testing.TB, script string) *proc.Command {
	t.Helper()
	path := need(t, "/usr/bin/python3", "python3") // for every user
	return &proc.Command{Path: path, Args: []string{"-c", `
import os, socket, sys, time
def notify(text):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.sendto(text.encode(), "\0" + os.environ["NOTIFY_SOCKET"][1:])
` + script}, Logger: silent}
}

func TestReadyByNotify(t *testing.T) {
	gate := file(t)
	c := notifying(t, "say=STATUS=loading", "out=up", "until="+gate, `say=FOO\nREADY=1\nSTATUS=serving`, "wait")
	j := &journal{}
	c.Logger = j.logger()
	w := record(t)
	started := make(chan error, 1)
	go func() {
		tr, err := w.runner().Start(context.Background(), tree.Spec{Children: []tree.Child{{Name: "p", Service: c}}})
		w.Tree = tr
		started <- err
	}()
	j.await(t, "up")
	require.Empty(t, w.have(tree.ChildStarted))
	require.NoError(t, touch(gate))
	require.NoError(t, <-started)
	require.Equal(t, "serving", w.node("p").Status)
	w.stop()
	require.Empty(t, j.lines(""), "nothing to warn of")
}

func TestNotReadyByNotify(t *testing.T) {
	c := notifying(t, `say=READY=0\nSTATUS=thinking`, "wait")
	c.ReadyTimeout = 300 * time.Millisecond
	err := notStartedOnce(t, c)
	require.ErrorIs(t, err, proc.ErrNotReady)
	require.ErrorContains(t, err, "Notify")
}

// What it says of its failure is in the error.
func TestNotifyErrno(t *testing.T) {
	c := notifying(t, `say=STATUS=cannot listen\nERRNO=98`, "exit=3")
	err := notStartedOnce(t, c)
	var e *proc.ExitError
	require.ErrorAs(t, err, &e)
	require.Equal(t, "cannot listen", e.Status)
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	require.ErrorContains(t, err, "exit code 3 before it was ready: cannot listen: address already in use")
	require.NoError(t, (&proc.ExitError{}).Unwrap())
}

// It counts even if it is read after the process has ended, which is a matter of
// luck, so it is tried often.
func TestReadyIsTheLastThingItNotified(t *testing.T) {
	c := notifying(t, "say=READY=1", "exit=3")
	for range 50 {
		e := serve(t, c).exited()
		require.False(t, e.BeforeReady)
	}
}

// Anything that descends from the process may speak, as long as it lives.
func TestNotifyByDescendants(t *testing.T) {
	for _, how := range []string{"spawn", "setsid"} {
		start(t, tree.Child{Name: "p", Service: notifying(t, how+"=say=READY=1", "wait")}).stop()
	}
	if _, err := exec.LookPath("systemd-notify"); err != nil {
		t.Skip("no systemd-notify")
	}
	w := start(t, tree.Child{Name: "p", Service: &proc.Command{
		Path: "sh", Args: []string{"-c", "systemd-notify --ready --status=hello; exec sleep 1000"}, Ready: &proc.Notify{}, Logger: silent,
	}})
	require.Equal(t, "hello", w.node("p").Status)
	w.stop()
}

func TestNotifyByPython(t *testing.T) {
	c := python(t, `notify("READY=1\nSTATUS=ça va"); time.sleep(1000)`)
	c.Ready = proc.Notify{}
	w := start(t, tree.Child{Name: "p", Service: c})
	require.Equal(t, "ça va", w.node("p").Status)
	w.stop()
}

// The snapshot has the status, made fit to be shown, also when the process has
// ended.
func TestNotifyStatus(t *testing.T) {
	c := helper(t, `say=STATUS=one\nX`, `say=STATUS=two\x1b[2J\xff`, "barrier", "out=up", "on=12,say=STATUS=bye|exit=4", "wait")
	c.Ready, c.NotifySocket = proc.LogLine("up"), true
	w := start(t, tree.Child{Name: "p", Service: c, Restart: strategies.Temporary}, tree.Child{Name: "q", Service: helper(t, "wait")})
	require.Equal(t, "two [2J\uFFFD", w.node("p").Status)
	require.Empty(t, w.node("q").Status)
	c = helper(t, "say=STATUS=bye", "exit=4")
	c.NotifySocket = true
	w = start(t, tree.Child{Name: "p", Service: c, Policy: slow})
	w.await(tree.ChildEnded, 1)
	n := w.node("p")
	require.Equal(t, "bye", n.Status)
	require.Equal(t, 4, n.Exit.Code)
	w.stop()
}

// READY=1 is nothing to who is not asked for it.
func TestNotifyOfAnotherProbe(t *testing.T) {
	c := helper(t, "say=READY=1", "barrier", "exit=3")
	c.Ready, c.NotifySocket = proc.LogLine("never"), true
	require.True(t, serve(t, c).exited().BeforeReady)
}

// What this program was told by its own service manager is not for its children.
func TestNotifyEnvironmentIsNotInherited(t *testing.T) {
	keys := []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDNAMES", "FDSTORE"}
	var steps []string
	for _, key := range keys {
		t.Setenv(key, "1")
		steps = append(steps, "env="+key)
	}
	told := func(change func(*proc.Command)) map[string]string {
		j := &journal{}
		c := helper(t, steps...)
		c.Logger = j.logger()
		change(c)
		require.NoError(t, serve(t, c).end())
		env := map[string]string{}
		for _, line := range j.lines("stdout") {
			if key, value, _ := strings.Cut(line, "="); value != "" {
				env[key] = value
			}
		}
		return env
	}
	require.Empty(t, told(func(*proc.Command) {}))
	require.Equal(t, map[string]string{"NOTIFY_SOCKET": "/x", "LISTEN_FDS": "3"}, told(func(c *proc.Command) {
		c.Env = append(c.Env, "NOTIFY_SOCKET=/x", "LISTEN_FDS=3")
	}))
	seen := map[string]bool{}
	for range 2 {
		env := told(func(c *proc.Command) {
			c.Env, c.Watchdog = append(c.Env, "NOTIFY_SOCKET=/x", "WATCHDOG_USEC=7"), time.Minute
		})
		require.Regexp(t, `^@.{20}`, env["NOTIFY_SOCKET"])
		seen[env["NOTIFY_SOCKET"]] = true
		delete(env, "NOTIFY_SOCKET")
		require.Equal(t, map[string]string{"WATCHDOG_USEC": "60000000"}, env)
	}
	require.Len(t, seen, 2, "each incarnation has its own")
}

// Descriptors that come along are closed, after what came with them was heard.
func TestNotifyDescriptors(t *testing.T) {
	before := quiet(t)
	c := notifying(t, "give=100", `say=READY=1\nSTATUS=up`, "barrier", "out=heard", "wait")
	ctx, cancel := context.WithCancel(t.Context())
	j := &journal{}
	c.Logger = j.logger()
	w := record(t)
	done := make(chan error, 1)
	go func() { done <- w.runner().Run(ctx, tree.Spec{Children: []tree.Child{{Name: "p", Service: c}}}) }()
	j.await(t, "heard")
	files, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	require.LessOrEqual(t, len(files), before.files+20)
	cancel()
	if err := <-done; err != nil { // it may not have been ready
		require.ErrorIs(t, err, context.Canceled)
	}
	back(t, before)
}

// Closing what was sent along waits for nobody.
func TestNotifyDescriptorThatLingers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	j := &journal{}
	c := notifying(t, fmt.Sprintf("linger=%d", l.Addr().(*net.TCPAddr).Port), "say=STATUS=after", "wait")
	c.Logger = j.logger()
	w := start(t, tree.Child{Name: "p", Service: c})
	require.Eventually(t, func() bool { return w.node("p").Status == "after" }, patience, glance)
	w.stop()
	require.Empty(t, j.lines(""))
}

func TestNotifyLeavesNothing(t *testing.T) {
	before := quiet(t)
	c := notifying(t, "say=READY=1", "exit=3")
	for range 50 {
		require.Error(t, c.Serve(t.Context()))
	}
	c.Path = "/no/such/program"
	for range 50 {
		require.Error(t, c.Serve(t.Context()))
	}
	back(t, before)
}

// Whatever it says, and however often, hurts only itself.
func TestNotifyFlood(t *testing.T) {
	for name, text := range map[string]string{
		"empty": ``, "binary": `\x00\xff\x1bREADY=1\n=\n==\n`, "status": `STATUS=x`, "lines": strings.Repeat(`A=B\n`, 10_000) + `STATUS=x`,
		"extensions": `EXTEND_TIMEOUT_USEC=1000000`, "watchdog": `WATCHDOG=1\nWATCHDOG_USEC=60000000`, "reloads": `RELOADING=1\nREADY=1\nMAINPID=1`,
	} {
		t.Run(name, func(t *testing.T) {
			c := notifying(t, "say=READY=1", "spawn=shout="+text, "shout="+text)
			w := start(t, tree.Child{Name: "p", Service: c})
			sibling := helper(t, "out=up", "wait")
			sibling.Ready = proc.LogLine("up")
			require.NoError(t, w.StartChild(t.Context(), "root", tree.Child{Name: "q", Service: sibling}), "the others get on")
			w.stop()
		})
	}
}

func TestNotifyTooLong(t *testing.T) {
	j := &journal{}
	c := helper(t, "say=STATUS=short", `say=STATUS=`+strings.Repeat("x", 70_000), "barrier", "out=up", "wait")
	c.Ready, c.NotifySocket, c.Logger = proc.LogLine("up"), true, j.logger()
	w := start(t, tree.Child{Name: "p", Service: c})
	require.Equal(t, "short", w.node("p").Status)
	require.Equal(t, []string{"notify message refused: too long"}, j.lines(""))
	w.stop()
}

func TestNotifyMainPID(t *testing.T) {
	j := &journal{}
	c := notifying(t, "say=MAINPID=1", "say=MAINPID=1", "say=READY=1", "wait")
	c.Logger = j.logger()
	w := start(t, tree.Child{Name: "p", Service: c})
	require.NotEqual(t, 1, w.node("p").PID)
	require.Equal(t, []string{"MAINPID is not honoured: the child is the process that was started"}, j.lines(""))
	w.stop()
}

func needRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can run a process as somebody else")
	}
}

// A process of another user, also one that became that only later.
func TestNotifyOfAnotherUser(t *testing.T) {
	needRoot(t)
	script := `notify("READY=1\nSTATUS=%d" % os.getuid()); time.sleep(1000)`
	for _, x := range []struct {
		user, script string
	}{{"nobody", script}, {"", "os.setgid(65534); os.setuid(65534);" + script}} {
		c := python(t, x.script)
		c.Ready, c.User = proc.Notify{}, x.user
		w := start(t, tree.Child{Name: "p", Service: c})
		require.Equal(t, "65534", w.node("p").Status)
		w.stop()
	}
}

// Anybody may find the socket. Another user who is no process of the child's is
// not heard.
func TestNotifyByAStranger(t *testing.T) {
	needRoot(t)
	name, gate := filepath.Join(t.TempDir(), "name"), file(t)
	c := python(t, `
with open(sys.argv[1] + ".new", "w") as f: f.write(os.environ["NOTIFY_SOCKET"])
os.rename(sys.argv[1] + ".new", sys.argv[1])
while not os.path.exists(sys.argv[2]): time.sleep(0.001)
notify("READY=1"); time.sleep(1000)`)
	j := &journal{}
	c.Args = append(c.Args, name, gate)
	c.Ready, c.Watchdog, c.Logger = proc.Notify{}, time.Hour, j.logger()
	w := record(t)
	started := make(chan error, 1)
	go func() {
		tr, err := w.runner().Start(context.Background(), tree.Spec{Children: []tree.Child{{Name: "p", Service: c}}})
		w.Tree = tr
		started <- err
	}()
	stranger := python(t, `
for i in range(100): notify("READY=1\nSTATUS=mine\nWATCHDOG=trigger")`)
	cmd := exec.Command(stranger.Path, stranger.Args...)
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+content(t, name))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	cmd.Dir = "/"
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	j.await(t, "notify message refused: its sender is no process of the child's")
	require.Empty(t, w.have(tree.ChildStarted))
	require.NoError(t, touch(gate))
	require.NoError(t, <-started)
	require.Empty(t, w.node("p").Status)
	require.Len(t, j.lines(""), 1, "told once")
	w.stop()
}

func TestNotifyThatIsNonsense(t *testing.T) {
	for want, change := range map[string]func(*proc.Command){
		"Watchdog: negative":                                         func(c *proc.Command) { c.Watchdog = -1 },
		"Watchdog: less than 1ms: 1µs":                               func(c *proc.Command) { c.Watchdog = time.Microsecond },
		"Alive: Probe: Notify tells only of the start: see Watchdog": func(c *proc.Command) { c.Alive = &proc.Liveness{Probe: proc.Notify{}} },
	} {
		c := &proc.Command{Path: "/bin/true"}
		change(c)
		require.ErrorContains(t, c.Validate(), want)
	}
}
