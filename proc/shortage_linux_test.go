package proc_test

import (
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/coppice-go/coppice/proc"
	"github.com/coppice-go/coppice/tree"
)

// asRoot skips a test that nobody else can do.
func asRoot(t testing.TB) {
	if os.Geteuid() != 0 {
		t.Skip("only root can do that")
	}
}

// A user that may have no more processes: the start fails, and not for good.
func TestUserMayHaveNoMoreProcesses(t *testing.T) {
	asRoot(t)
	somebody := strconv.Itoa(70_000 + rand.N(1<<20))
	sleeper := func() *proc.Command {
		return &proc.Command{
			Path: "/bin/sleep", Args: []string{"1000"}, User: somebody, Group: somebody, Dir: "/", Logger: silent,
			Limits: map[proc.Resource]proc.Limit{proc.Processes: {}}, // the kernel lets one more
		}
	}
	w := start(t, tree.Child{Name: "first", Service: sleeper()})
	err := notStarted(t, sleeper())
	require.ErrorIs(t, err, syscall.EAGAIN)
	require.ErrorContains(t, err, "/bin/sleep")
	w.stop()
	start(t, tree.Child{Name: "second", Service: sleeper()}).stop()
}

func TestUserMayNotExecute(t *testing.T) {
	asRoot(t)
	program := filepath.Join(place(t), "program")
	require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\n"), 0o700))
	c := &proc.Command{Path: program, User: "nobody", Dir: "/", Logger: silent}
	err := notStarted(t, c)
	require.ErrorIs(t, err, fs.ErrPermission)
	require.ErrorContains(t, err, program)
	require.ErrorContains(t, err, "to user nobody")
	c.User = ""
	require.NoError(t, serve(t, c).end())
}

func TestStartFromAFileSystemWithoutPrograms(t *testing.T) {
	asRoot(t)
	dir := place(t)
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOEXEC, ""); err != nil {
		t.Skipf("no mount: %v", err)
	}
	defer func() { require.NoError(t, unix.Unmount(dir, 0)) }()
	program := filepath.Join(dir, "program")
	require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755))
	err := notStarted(t, &proc.Command{Path: program, Logger: silent})
	require.ErrorIs(t, err, fs.ErrPermission)
	require.ErrorContains(t, err, "noexec")
}

// A program that may open few files starts processes all the same.
func TestProgramThatMayOpenFewFiles(t *testing.T) {
	for _, few := range []uint64{20, 24, 28, 35, 36, 40, 64, 100} {
		j := &journal{}
		c := helper(t, "keep=out=up")
		c.Logger = j.logger()
		c.Limits = map[proc.Resource]proc.Limit{proc.OpenFiles: {Soft: few, Hard: few}}
		require.NoError(t, serve(t, c).end(), "%d files", few)
		require.Equal(t, []string{"up", "up"}, j.lines("stdout"))
	}
}
