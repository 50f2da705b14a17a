package keeper

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func ours(t *testing.T) string {
	own := ownCgroup()
	if own == "" || !delegated(own) {
		require.Nil(t, openCgroups())
		return ""
	}
	return own
}

// A guardian that is killed leaves groups behind, which the next one removes with
// whoever is in them; not those that are in use. In a place of the test's own:
// where the guardians of other programs are, they sweep too.
func TestStaleGroupsAreSwept(t *testing.T) {
	own := ours(t)
	if own == "" {
		return
	}
	own = filepath.Join(own, cgroupPrefix+"test-"+strconv.Itoa(os.Getpid()))
	require.NoError(t, os.Mkdir(own, 0o755))
	defer func() { require.NoError(t, os.Remove(own)) }()
	used := openCgroupsIn(own)
	require.NotNil(t, used)
	defer used.close()
	stale := filepath.Join(own, cgroupPrefix+"0-0123abcd")
	inner := filepath.Join(stale, "1", "below")
	require.NoError(t, os.MkdirAll(inner, 0o755))
	cmd := exec.Command("sleep", forever)
	require.NoError(t, cmd.Start())
	require.NoError(t, os.WriteFile(filepath.Join(inner, "cgroup.procs"), []byte(strconv.Itoa(cmd.Process.Pid)), 0))
	require.Equal(t, []int{cmd.Process.Pid}, procsBelow(stale))
	go func() { _ = cmd.Wait() }() // a zombie keeps its group
	sweep(own)
	soon(t, func() bool {
		sweep(own)
		_, err := os.Stat(stale)
		return os.IsNotExist(err)
	})
	_, err := os.Stat(used.dir)
	require.NoError(t, err)
	require.Zero(t, sleepers())
}

// What only looks like one of ours is somebody else's.
func TestGroupsOfOthersAreLeftAlone(t *testing.T) {
	own := ours(t)
	if own == "" {
		return
	}
	other := filepath.Join(own, cgroupPrefix+"workers")
	require.NoError(t, os.Mkdir(other, 0o755))
	sweep(own)
	require.NoError(t, os.Remove(other))
}

func TestGroupsAreNotUsedTwice(t *testing.T) {
	if ours(t) == "" {
		return
	}
	gs := openCgroups()
	require.NotNil(t, gs)
	defer gs.close()
	a := gs.take()
	gs.give(a)
	require.NotEqual(t, a.path, gs.take().path)
	soon(t, func() bool {
		_, err := os.Stat(a.path)
		return os.IsNotExist(err)
	})
	gs.tidy()
	require.NotEqual(t, a.path, gs.take().path, "one made in advance")
	require.Empty(t, gs.stale)
}

func TestClosedGroupsAreRemoved(t *testing.T) {
	own := ours(t)
	gs := openCgroups()
	gs.take()
	gs.close()
	removeCgroup(filepath.Join(own, "no-such"), time.Time{})
	if gs != nil {
		_, err := os.Stat(gs.dir)
		require.ErrorIs(t, err, os.ErrNotExist)
	}
}

func TestNoGroups(t *testing.T) {
	var none *cgroups
	require.Nil(t, none.take())
	none.give(nil)
	none.kill()
	none.close()
	var g *cgroup
	require.False(t, g.kill())
	require.Equal(t, -1, g.file())
	g.close()
}
