package proc_test

import (
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/proc"
	"github.com/coppice-go/coppice/tree"
)

// short is a grace for what ignores Signal.
const short = 150 * time.Millisecond

// up starts c in a tree as "p" when it has written the line "up".
func up(t *testing.T, c *proc.Command, shutdown time.Duration) *world {
	t.Helper()
	c.Ready = proc.LogLine("^up$")
	return start(t, tree.Child{Name: "p", Service: c, Shutdown: shutdown})
}

func TestStopSendsTermToTheGroup(t *testing.T) {
	j := &journal{}
	grandchild := file(t)
	c := helper(t, is("catch", syscall.SIGTERM)+",leader ends,0",
		"spawn="+join(is("catch", syscall.SIGTERM)+",grandchild ends,0", "touch="+grandchild, "wait"),
		"until="+grandchild, "out=up", "wait")
	c.Logger = j.logger()
	w := up(t, c, tree.Infinity)
	w.stop()
	require.ElementsMatch(t, []string{"up", "leader ends", "grandchild ends"}, j.lines("stdout"))
	require.False(t, alive(content(t, grandchild)))
}

func TestStopSendsTheSignalAskedFor(t *testing.T) {
	j := &journal{}
	c := helper(t, is("ignore", syscall.SIGTERM), is("catch", syscall.SIGUSR1)+",asked,0", "out=up", "wait")
	c.Signal, c.Logger = syscall.SIGUSR1, j.logger()
	up(t, c, tree.Infinity).stop()
	require.Equal(t, []string{"up", "asked"}, j.lines("stdout"))
}

func TestStopKillsWhatIgnoresTheSignal(t *testing.T) {
	w := up(t, helper(t, is("ignore", syscall.SIGTERM), "out=up", "wait"), short)
	pid := strconv.Itoa(w.node("p").PID)
	r := w.stop()
	require.False(t, alive(pid))
	require.GreaterOrEqual(t, r.Took, short, "it had its grace")
	require.Empty(t, w.have(tree.ChildStuck))
}

func TestGraceOfTheCommandIfShorter(t *testing.T) {
	c := helper(t, is("ignore", syscall.SIGTERM), "out=up", "wait")
	c.Grace = short
	up(t, c, tree.Infinity).stop() // which would last for ever
}

func TestGraceOfTheSupervisorIfShorter(t *testing.T) {
	c := helper(t, is("ignore", syscall.SIGTERM), "out=up", "wait")
	c.Grace = time.Hour
	up(t, c, short).stop()
}

func TestBrutalStop(t *testing.T) {
	trace := file(t)
	c := helper(t, is("ignore", syscall.SIGTERM), "spawn="+join(is("ignore", syscall.SIGTERM), "touch="+trace, "wait"),
		"until="+trace, "out=up", "wait")
	w := up(t, c, tree.Brutal)
	w.stop()
	require.False(t, alive(content(t, trace)))
}

// The stop is over when the group is empty, not when its leader has ended.
func TestStopWaitsForTheWholeGroup(t *testing.T) {
	trace := file(t)
	c := helper(t, "spawn="+join(is("ignore", syscall.SIGTERM), "touch="+trace, "wait"), "until="+trace, "out=up", "wait")
	w := up(t, c, short)
	leader := strconv.Itoa(w.node("p").PID)
	grandchild := content(t, trace)
	_, group, _, ok := status(grandchild)
	require.True(t, ok)
	require.Equal(t, leader, group)
	r := w.stop()
	require.False(t, alive(leader))
	require.False(t, alive(grandchild))
	require.GreaterOrEqual(t, r.Took, short)
}

func TestStopOfAStoppedProcess(t *testing.T) {
	j := &journal{}
	c := helper(t, is("catch", syscall.SIGTERM)+",bye,0", "out=up", "wait")
	c.Logger = j.logger()
	w := up(t, c, tree.Infinity)
	pid := w.node("p").PID
	require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
	require.Eventually(t, func() bool {
		state, _, _, _ := status(strconv.Itoa(pid))
		return state == "T"
	}, patience, glance)
	w.stop()
	require.Equal(t, []string{"up", "bye"}, j.lines("stdout"), "it could act on the signal")
}

func TestStopKillsAStoppedProcessThatIgnoresTheSignal(t *testing.T) {
	w := up(t, helper(t, is("ignore", syscall.SIGTERM), "out=up", "wait"), short)
	require.NoError(t, syscall.Kill(w.node("p").PID, syscall.SIGSTOP))
	w.stop()
}

// A process that ends by itself leaves nothing to the next incarnation.
func TestNothingIsLeftForTheNextIncarnation(t *testing.T) {
	first, old := file(t), file(t)
	j := &journal{}
	// The first run leaves a grandchild behind that ignores the signal; the second
	// tells if that is alive.
	c := &proc.Command{
		Path: "sh", Grace: short, Ready: proc.LogLine("^up$"), Logger: j.logger(),
		Args: []string{"-c", `
			if test -e "$FIRST"; then
				grep -s "^State:.[^ZX]" "/proc/$(cat "$OLD")/status"
				echo up; exec sleep 1000
			fi
			: >"$FIRST"
			(trap "" TERM; echo up; : >"$OLD"; exec sleep 1000) &
			while ! test -e "$OLD"; do sleep 0.01; done
			echo $! >"$OLD"; exit 1`},
		Env: []string{"FIRST=" + first, "OLD=" + old},
	}
	w := start(t, tree.Child{Name: "p", Service: c})
	require.Equal(t, 2, w.await(tree.ChildStarted, 2).Incarnation)
	require.Equal(t, actor.ClassAbnormal, w.await(tree.ChildEnded, 1).Class)
	require.Equal(t, []string{"up", "up"}, j.lines("stdout"))
	w.stop()
}

// A stop that comes while what a process left behind has its grace.
func TestStopWhileTheGroupIsEmptied(t *testing.T) {
	trace := file(t)
	gate := file(t)
	c := helper(t, "spawn="+join(is("catch", syscall.SIGTERM)+",,0", is("ignore", syscall.SIGTERM), "touch="+trace, "wait"),
		"until="+trace, "out=up", "until="+gate, "exit=1")
	c.Grace = time.Hour
	w := up(t, c, short)
	leader := strconv.Itoa(w.node("p").PID)
	require.NoError(t, touch(gate))
	require.Eventually(t, func() bool { return !alive(leader) }, patience, glance)
	w.stop()
	require.False(t, alive(content(t, trace)))
}

// escape is a command whose grandchild leaves the group and keeps the output
// open.
func escape(t *testing.T, daemon string, steps ...string) (c *proc.Command, pid func() string) {
	trace := file(t)
	c = helper(t, append([]string{"setsid=" + join(daemon, "touch="+trace, "wait"), "until=" + trace, "out=up"}, steps...)...)
	return c, func() string { return content(t, trace) }
}

func TestStopEndsWhatLeftTheGroup(t *testing.T) {
	for name, daemon := range map[string]string{
		"in time":   is("catch", syscall.SIGTERM) + ",daemon ends,0",
		"too late":  is("ignore", syscall.SIGTERM),
		"by itself": "out=",
	} {
		t.Run(name, func(t *testing.T) {
			j := &journal{}
			c, pid := escape(t, daemon, "wait")
			c.Logger, c.Grace = j.logger(), short
			if name == "in time" {
				c.Grace = time.Hour
			}
			w := up(t, c, tree.Infinity)
			w.stop()
			require.False(t, alive(pid()))
			require.Equal(t, name == "in time", slices.Contains(j.lines("stdout"), "daemon ends"))
		})
	}
}

func TestEndEndsWhatLeftTheGroup(t *testing.T) {
	j := &journal{}
	c, pid := escape(t, is("ignore", syscall.SIGTERM), "lines=100", "exit=4")
	c.Logger, c.Grace = j.logger(), short
	require.Equal(t, 4, serve(t, c).exited().Code)
	require.False(t, alive(pid()))
	require.Len(t, j.lines("stdout"), 101, "all of its own output is there")
}

// Somebody else's SIGKILL at the moment of the stop.
func TestKillAndStopAtOnce(t *testing.T) {
	for range 20 {
		w := up(t, helper(t, "out=up", "wait"), tree.Infinity)
		pid := w.node("p").PID
		go func() { _ = syscall.Kill(pid, syscall.SIGKILL) }()
		w.stop()
		require.False(t, alive(strconv.Itoa(pid)))
	}
}

// Outside a tree the grace is that of the Command.
func TestStopOutsideATree(t *testing.T) {
	j := &journal{}
	c := helper(t, is("ignore", syscall.SIGTERM), "out=up", "wait")
	c.Grace, c.Logger = short, j.logger()
	r := serve(t, c)
	j.await(t, "up")
	r.cancel()
	require.NoError(t, r.end())
}
