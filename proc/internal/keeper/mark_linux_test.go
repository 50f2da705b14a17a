package keeper

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Programs that run programs that run processes: each level knows its own.
func TestMarksNest(t *testing.T) {
	var before unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_LOCKS, &before))
	if before.Max != unix.RLIM_INFINITY {
		require.Equal(t, noMark, readMarks().shift)
		return
	}
	defer func() { require.NoError(t, unix.Setrlimit(unix.RLIMIT_LOCKS, &before)) }()
	plain := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_LOCKS, &plain))
	me := os.Getpid()

	var levels []marks
	for _, slot := range []uint64{7, slots, 1} {
		m := readMarks()
		require.Zero(t, m.slot(me))
		m.set(slot)
		levels = append(levels, m)
	}
	require.Equal(t, marks{shift: noMark}, readMarks(), "there is no fourth")
	for i, slot := range []uint64{7, slots, 1} {
		require.Equal(t, slot, levels[i].slot(me))
	}

	// Another process of the first level, and one that has no mark.
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_LOCKS, &plain))
	levels[0].set(8)
	require.EqualValues(t, 8, levels[0].slot(me))
	require.Zero(t, levels[1].slot(me), "of another tree")
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_LOCKS, &plain))
	require.Zero(t, levels[0].slot(me))
	require.Zero(t, levels[0].slot(-1))
}

// Somebody did limit what nobody limits.
func TestMarkThatCannotBeSet(t *testing.T) {
	if os.Getenv("COPPICE_TEST_LIMIT") != "" {
		require.NoError(t, unix.Setrlimit(unix.RLIMIT_LOCKS, &unix.Rlimit{Cur: 5, Max: 10}))
		m := readMarks()
		require.Equal(t, marks{shift: noMark}, m)
		m.set(3)
		require.Zero(t, m.slot(os.Getpid()))
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), "COPPICE_TEST_LIMIT=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
}

func TestReadStat(t *testing.T) {
	s, ok := readStat(os.Getpid())
	require.True(t, ok)
	require.Equal(t, os.Getpid(), s.pid)
	require.Equal(t, os.Getppid(), s.ppid)
	require.Equal(t, unix.Getpgrp(), s.pgid)
	require.False(t, s.zombie)
	require.NotZero(t, s.start)
	_, ok = readStat(1 << 30)
	require.False(t, ok)

	// A name can look like the fields that follow it.
	file := t.TempDir() + "/a) Z 1 2 3"
	require.NoError(t, os.Symlink("/bin/sleep", file))
	cmd := exec.Command(file, forever)
	require.NoError(t, cmd.Start())
	s, ok = readStat(cmd.Process.Pid)
	require.True(t, ok)
	require.Equal(t, os.Getpid(), s.ppid)
	require.False(t, s.zombie)
	require.NoError(t, s.signal(unix.SIGKILL))
	soon(t, func() bool {
		s, ok = readStat(cmd.Process.Pid)
		return ok && s.zombie
	})
	require.Error(t, cmd.Wait())
	require.Error(t, s.signal(unix.SIGKILL), "it is no more")
}

// The kernel may have been built without the lists of children.
func TestChildrenWithoutLists(t *testing.T) {
	defer func(f func() bool) { childrenListed = f }(childrenListed)
	for range 3 {
		cmd := exec.Command("sleep", forever)
		require.NoError(t, cmd.Start())
		defer func() { _, _ = cmd.Process.Kill(), cmd.Wait() }()
	}
	listed := childrenOf(os.Getpid())
	require.Len(t, listed, 3)
	childrenListed = func() bool { return false }
	require.ElementsMatch(t, listed, childrenOf(os.Getpid()))
	ks := newKids(true)
	defer ks.groups.close()
	require.ElementsMatch(t, listed, ks.orphans())
}
