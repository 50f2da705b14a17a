package keeper

import (
	"context"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// set changes a variable for the time of a test.
func set[T any](t *testing.T, v *T, to T) {
	old := *v
	*v = to
	t.Cleanup(func() { *v = old })
}

// A guardian that somebody stops goes on when something is asked of it, or when
// it is to end.
func TestGuardianIsStopped(t *testing.T) {
	for _, cgroups := range []string{"", "off"} {
		t.Setenv("COPPICE_CGROUPS", cgroups)
		release := Hold()
		c := shell(t, "(setsid sleep $T &); echo up; kill -STOP $PPID; echo stopped; exec sleep $T")
		c.read()
		require.Equal(t, "stopped", c.read())
		again := shell(t, "echo up; exec sleep $T")
		again.read()
		guardian := parentOf(t, again.PID)
		require.Equal(t, guardian, parentOf(t, c.PID), "the same one")
		require.NoError(t, syscall.Kill(guardian, syscall.SIGSTOP))
		require.NoError(t, again.Signal(syscall.SIGTERM, Group))
		require.Equal(t, syscall.SIGTERM, again.ended().Signal)
		again.Forget()
		require.NoError(t, syscall.Kill(guardian, syscall.SIGSTOP))
		release()
		require.ErrorIs(t, c.ended().Err, ErrLost)
		require.Zero(t, sleepers(), "what left the group, too")
		_, ok := readStat(guardian)
		require.False(t, ok)
	}
}

// One that cannot be woken up is killed, by who asks and by who lets go.
func TestGuardianThatCannotBeWokenUp(t *testing.T) {
	set(t, &wakeUp, 0)
	set(t, &stallLook, 10*time.Millisecond)
	both(t, func(t *testing.T) {
		c := shell(t, "sleep $T & echo up; exec sleep $T")
		c.read()
		guardian := stopGuardian(t, c)
		require.ErrorIs(t, c.Signal(syscall.SIGTERM, Group), ErrLost)
		require.ErrorIs(t, c.ended().Err, ErrLost)
		soon(t, func() bool { return sleepers() == 0 })
		c.Forget()
		next := shell(t, "echo up; exec sleep $T")
		next.read()
		require.NotEqual(t, guardian, parentOf(t, next.PID))
		next.kill()
	})
	release := Hold()
	c := shell(t, "echo up; exec sleep $T")
	c.read()
	guardian := stopGuardian(t, c)
	release()
	require.ErrorIs(t, c.ended().Err, ErrLost)
	_, ok := readStat(guardian)
	require.False(t, ok)
	soon(t, func() bool { return sleepers() == 0 })
}

// Somebody who stops it without a pause holds up nothing, either.
func TestGuardianIsStoppedAgainAndAgain(t *testing.T) {
	release := Hold()
	c := shell(t, "echo up; exec sleep $T")
	c.read()
	stopper := exec.Command("sh", "-c", "while kill -STOP $0; do :; done", strconv.Itoa(parentOf(t, c.PID)))
	require.NoError(t, stopper.Start())
	for range 3 {
		_ = c.Signal(0, Group)
	}
	release()
	c.ended()
	soon(t, func() bool { return sleepers() == 0 })
	_ = stopper.Wait()
}

// stopGuardian stops it, and waits until it has.
func stopGuardian(t *testing.T, c *child) (guardian int) {
	t.Helper()
	guardian = parentOf(t, c.PID)
	require.NoError(t, syscall.Kill(guardian, syscall.SIGSTOP))
	r := shared.parent.(*remote)
	soon(t, func() bool { return r.stops.Load() > 0 })
	return guardian
}

// A start that the system does not come to the end of is given up when nobody
// wants it any more, and if it comes to its end after all, the process is killed.
func TestStartThatHangs(t *testing.T) {
	set(t, &wakeUp, 0)
	set(t, &stallLook, time.Hour)
	set(t, &startWait, time.Millisecond)
	both(t, func(t *testing.T) {
		c := shell(t, "echo up; exec sleep $T")
		c.read()
		soon(t, func() bool { return sleepers() == 1 })
		guardian := stopGuardian(t, c)
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Millisecond, cancel)
		spec := Spec{Path: "/bin/sh", Args: []string{"sh", "-c", "trap '' TERM; setsid sleep " + forever + " & exec sleep " + forever}}
		_, err := Persist(ctx, spec, func(error) bool { return true }, noWarning(t))
		require.ErrorIs(t, err, ErrHangs)
		soon(t, func() bool { return sleepers() == 1 }) // and not yet the other
		require.NoError(t, syscall.Kill(guardian, syscall.SIGCONT))
		soon(t, func() bool {
			kids := childrenOf(guardian)
			return len(kids) == 1 && kids[0] == c.PID && sleepers() == 1 && calls() == 0
		})
		c.kill()
	})
}

// calls is how many the guardian has to answer.
func calls() int {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	r := shared.parent.(*remote)
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.calls)
}

// A guardian that says nothing is none. The program is the parent, unless nobody
// wants to start anything any more.
func TestGuardianIsSilent(t *testing.T) {
	name := t.TempDir() + "/silent"
	require.NoError(t, os.WriteFile(name, []byte("#!/bin/sh\nexec sleep "+forever+"\n"), 0o700))
	set(t, &self, name)
	defer Hold()()
	spec := Spec{Path: "/bin/sh", Args: []string{"sh", "-c", "exec sleep " + forever}}
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(time.Millisecond, cancel)
	_, err := Persist(ctx, spec, func(error) bool { return true }, noWarning(t))
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, sleepers())

	set(t, &helloWait, 10*time.Millisecond)
	var warned error
	p, err := Start(spec, func(err error) { warned = err })
	require.NoError(t, err)
	require.ErrorIs(t, warned, os.ErrDeadlineExceeded)
	require.Equal(t, os.Getpid(), parentOf(t, p.PID))
	(&child{Process: p, t: t}).kill()
}
