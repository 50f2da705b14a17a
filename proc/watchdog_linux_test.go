package proc_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/proc"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

const (
	shortDog = 50 * time.Millisecond
	longer   = "pause=300" // than that
)

func TestWatchdogIsMissed(t *testing.T) {
	c := notifying(t, "say=READY=1", "wait")
	c.Watchdog = shortDog
	w := start(t, tree.Child{Name: "p", Service: c})
	end := w.await(tree.ChildEnded, 1)
	require.ErrorIs(t, end.Err, proc.ErrNotAlive)
	require.ErrorContains(t, end.Err, "Watchdog: no WATCHDOG=1 within 50ms")
	var e *proc.ExitError
	require.ErrorAs(t, end.Err, &e)
	require.Equal(t, syscall.SIGTERM, e.Signal)
	w.await(tree.ChildStarted, 2)
	w.stop()
}

// It lives longer than the watchdog's time.
func TestWatchdogIsKept(t *testing.T) {
	t.Parallel()
	c := notifying(t, "say=READY=1", "beat=3000", "exit=7")
	c.Watchdog = 2 * time.Second
	require.Equal(t, 7, serve(t, c).exited().Code)
}

// It is no matter how long the start takes.
func TestWatchdogBeginsWhenReady(t *testing.T) {
	c := notifying(t, longer, "say=READY=1", "wait")
	c.Watchdog = time.Millisecond
	err := serve(t, c).end()
	require.ErrorIs(t, err, proc.ErrNotAlive)
	var e *proc.ExitError
	require.ErrorAs(t, err, &e)
	require.False(t, e.BeforeReady)

	// Without a probe it is ready at once.
	c = helper(t, "wait")
	c.Watchdog = time.Millisecond
	require.ErrorIs(t, serve(t, c).end(), proc.ErrNotAlive)
}

func TestWatchdogIsTriggered(t *testing.T) {
	for _, first := range []string{"say=READY=1", "say=STATUS=starting"} {
		c := notifying(t, first, "say=WATCHDOG=trigger", "wait")
		err := serve(t, c).end()
		require.ErrorIs(t, err, proc.ErrNotAlive)
		require.ErrorContains(t, err, "WATCHDOG=trigger")
	}
}

func TestWatchdogIsChanged(t *testing.T) {
	c := notifying(t, "say=READY=1", "say=WATCHDOG_USEC=20000", "wait")
	c.Watchdog = time.Hour
	require.ErrorContains(t, serve(t, c).end(), "no WATCHDOG=1 within 20ms")
	c.Watchdog = 0
	require.ErrorContains(t, serve(t, c).end(), "no WATCHDOG=1 within 20ms", "who is not watched may ask for it")

	for _, text := range []string{`READY=1\nWATCHDOG_USEC=0`, `READY=1\nWATCHDOG_USEC=60000000`} {
		c = notifying(t, "say="+text, longer, "exit=7")
		c.Watchdog = shortDog
		require.Equal(t, 7, serve(t, c).exited().Code)
	}
}

func TestWatchdogIsExtended(t *testing.T) {
	t.Parallel()
	c := notifying(t, `say=READY=1`, `say=EXTEND_TIMEOUT_USEC=60000000`, "pause=2500", "exit=7")
	c.Watchdog = 2 * time.Second
	require.Equal(t, 7, serve(t, c).exited().Code)

	c = notifying(t, `say=READY=1`, `say=EXTEND_TIMEOUT_USEC=60000000`, "say=WATCHDOG=1", "wait")
	c.Watchdog = shortDog
	require.ErrorIs(t, serve(t, c).end(), proc.ErrNotAlive, "until the next WATCHDOG=1")
}

// It says that it ends by itself: it is not watched any more, but for its grace.
func TestNotifyStopping(t *testing.T) {
	c := notifying(t, `say=READY=1\nSTOPPING=1`, longer, "say=WATCHDOG=1", longer, "exit=7")
	c.Watchdog = shortDog
	require.Equal(t, 7, serve(t, c).exited().Code)

	c = notifying(t, `say=READY=1\nSTOPPING=1`, "wait")
	c.Grace = shortDog
	err := serve(t, c).end()
	require.ErrorIs(t, err, proc.ErrNotAlive)
	require.ErrorContains(t, err, "STOPPING=1, and not ended within 50ms")

	c = notifying(t, `say=READY=1\nSTOPPING=1\nEXTEND_TIMEOUT_USEC=60000000`, longer, "exit=7")
	c.Grace = shortDog
	require.Equal(t, 7, serve(t, c).exited().Code)
}

func TestNotifyStateInTheSnapshot(t *testing.T) {
	c := helper(t, "on=10,say=RELOADING=1|barrier|out=one|wait", `on=12,say=STATUS=halfway|barrier|out=two|wait`,
		"on=1,say=READY=1|barrier|out=three|wait", `on=15,say=STATUS=\nSTOPPING=1\nREADY=1|barrier|out=four|wait`, "out=up", "wait")
	j := &journal{}
	c.Ready, c.NotifySocket, c.Logger = proc.LogLine("up"), true, j.logger()
	w := start(t, tree.Child{Name: "p", Service: c, Restart: strategies.Temporary})
	for _, x := range []struct {
		signal     syscall.Signal
		line, text string
	}{
		{syscall.SIGUSR1, "one", "reloading"},
		{syscall.SIGUSR2, "two", "reloading: halfway"},
		{syscall.SIGHUP, "three", "halfway"},
		{syscall.SIGTERM, "four", "stopping"},
	} {
		require.NoError(t, proc.Signal(t.Context(), w, "root/p", x.signal, proc.Leader))
		j.await(t, x.line)
		require.Equal(t, x.text, w.node("p").Status)
	}
	require.NoError(t, proc.Signal(t.Context(), w, "root/p", syscall.SIGKILL, proc.Leader))
}

// A start may last longer than StartTimeout and ReadyTimeout, if the process asks
// for that.
func TestNotifyExtendsTheStart(t *testing.T) {
	t.Parallel()
	c := notifying(t, `say=EXTEND_TIMEOUT_USEC=60000000`, "pause=3000", "say=READY=1", "wait")
	c.ReadyTimeout = 2 * time.Second
	start(t, tree.Child{Name: "p", Service: c, StartTimeout: 2 * time.Second}).stop()

	c = notifying(t, `say=EXTEND_TIMEOUT_USEC=60000000`, `say=EXTEND_TIMEOUT_USEC=1000`, "wait")
	c.ReadyTimeout = shortDog
	require.ErrorIs(t, notStartedOnce(t, c), proc.ErrNotReady, "the last word counts")
}

// A stop may last longer than Shutdown, Grace and a step's Wait.
func TestNotifyExtendsTheStop(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*tree.Child, *proc.Command){
		"shutdown": func(x *tree.Child, _ *proc.Command) { x.Shutdown = 2 * time.Second },
		"grace":    func(_ *tree.Child, c *proc.Command) { c.Grace = 2 * time.Second },
		"step":     func(_ *tree.Child, c *proc.Command) { c.Stop = []proc.StopStep{{Wait: 2 * time.Second}} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := &journal{}
			c := notifying(t, "on=15,say=EXTEND_TIMEOUT_USEC=60000000|pause=3000|out=done|exit=0", "say=READY=1", "wait")
			c.Logger = j.logger()
			x := tree.Child{Name: "p", Service: c, Shutdown: time.Minute}
			change(&x, c)
			start(t, x).stop()
			require.Contains(t, j.lines("stdout"), "done")
		})
	}
}
