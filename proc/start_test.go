package proc_test

import (
	"context"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/proc"
	"github.com/coppice-go/coppice/tree"
)

// notStarted starts c in a tree, which must fail with an error that names the
// program.
func notStarted(t *testing.T, c *proc.Command) error {
	t.Helper()
	_, err := tryStart(t, tree.Spec{Children: []tree.Child{{Name: "p", Service: c}}})
	require.ErrorIs(t, err, tree.ErrStartFailed)
	var s *tree.StartError
	require.ErrorAs(t, err, &s)
	require.Equal(t, "root/p", s.Path)
	require.Contains(t, err.Error(), filepath.Base(c.Path))
	require.Equal(t, s.Err.Error(), c.Serve(context.Background()).Error(), "the same outside a tree")
	return err
}

func TestStartOfAMissingFile(t *testing.T) {
	err := notStarted(t, &proc.Command{Path: filepath.Join(t.TempDir(), "nosuch")})
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestStartOfANameNotInPath(t *testing.T) {
	err := notStarted(t, &proc.Command{Path: "no-such-program-anywhere"})
	require.ErrorIs(t, err, exec.ErrNotFound)
}

func TestStartInAMissingDirectory(t *testing.T) {
	c := helper(t)
	c.Dir = filepath.Join(t.TempDir(), "gone")
	err := notStarted(t, c)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.Contains(t, err.Error(), "directory")
	require.Contains(t, err.Error(), "gone")
}

func TestStartInAFile(t *testing.T) {
	c := helper(t)
	c.Dir = file(t)
	require.NoError(t, touch(c.Dir))
	require.ErrorContains(t, notStarted(t, c), "directory: "+c.Dir)
}

func TestStartOfADirectory(t *testing.T) {
	require.ErrorIs(t, notStarted(t, &proc.Command{Path: t.TempDir()}), fs.ErrPermission)
}

// A failed start climbs as any other, and what had started is stopped.
func TestFailedStartStopsWhatHadStarted(t *testing.T) {
	w := record(t)
	_, err := w.runner().Start(context.Background(), tree.Spec{Children: []tree.Child{
		{Name: "a", Service: helper(t, "wait")},
		{Name: "b", Service: &proc.Command{Path: "no-such-program-anywhere"}},
	}})
	require.ErrorIs(t, err, exec.ErrNotFound)
	ended := w.have(tree.ChildEnded)
	require.Len(t, ended, 1)
	require.Equal(t, "root/a", ended[0].Path)
}

func TestCancelledContextStartsNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.NoError(t, (&proc.Command{Path: "no-such-program-anywhere"}).Serve(ctx), "it was not even looked for")
}

func TestArgumentsEnvironmentAndDirectory(t *testing.T) {
	t.Setenv("COPPICE_PROC_A", "outer")
	t.Setenv("COPPICE_PROC_B", "outer")
	j := &journal{}
	c := helper(t, "args", "env=COPPICE_PROC_A", "env=COPPICE_PROC_B", "env=COPPICE_PROC_C", "dir")
	c.Args = append(c.Args, "out= a b\t\"c\" $HOME *")
	c.Dir = t.TempDir()
	c.Env = append(c.Env, "COPPICE_PROC_B=inner", "COPPICE_PROC_C=1", "COPPICE_PROC_C=x=y")
	c.Logger = j.logger()
	require.NoError(t, serve(t, c).end())
	dir, err := filepath.EvalSymlinks(c.Dir)
	require.NoError(t, err)
	require.Equal(t, []string{
		`["args" "env=COPPICE_PROC_A" "env=COPPICE_PROC_B" "env=COPPICE_PROC_C" "dir" "out= a b\t\"c\" $HOME *"]`,
		"COPPICE_PROC_A=outer", "COPPICE_PROC_B=inner", "COPPICE_PROC_C=x=y", "dir " + dir, " a b\t\"c\" $HOME *",
	}, j.lines("stdout"))
}

// PWD is the directory, as scripts believe it.
func TestPWD(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(filepath.Dir(dir))
	for want, c := range map[string]*proc.Command{
		"PWD=" + dir:          {Dir: dir},
		"PWD=" + dir + " ":    {Dir: filepath.Base(dir)},
		"PWD=" + os.TempDir(): {Dir: dir, Env: []string{"PWD=" + os.TempDir()}},
		"PWD=":                {Dir: dir, ClearEnv: true},
	} {
		j := &journal{}
		h := helper(t, "env=PWD")
		h.Dir, h.Env, h.ClearEnv, h.Logger = c.Dir, append(h.Env, c.Env...), c.ClearEnv, j.logger()
		require.NoError(t, serve(t, h).end())
		require.Equal(t, []string{strings.TrimSpace(want)}, j.lines("stdout"))
	}
}

func TestClearEnv(t *testing.T) {
	t.Setenv("COPPICE_PROC_A", "outer")
	j := &journal{}
	c := helper(t, "env=COPPICE_PROC_A")
	c.ClearEnv, c.Logger = true, j.logger()
	require.NoError(t, serve(t, c).end())
	require.Equal(t, []string{"COPPICE_PROC_A="}, j.lines("stdout"))
}

// One Command may be many children at once.
func TestOneCommandServesMany(t *testing.T) {
	c := helper(t, "out=up", "wait")
	c.Ready = proc.LogLine("up")
	w := start(t, tree.Child{Name: "a", Service: c}, tree.Child{Name: "b", Service: c})
	require.NotEqual(t, w.node("a").PID, w.node("b").PID)
	w.stop()
}

// A directory that is gone makes the next start fail, and is counted.
func TestDirectoryRemovedWhileRunning(t *testing.T) {
	gate := file(t)
	dir := filepath.Join(t.TempDir(), "work")
	require.NoError(t, os.Mkdir(dir, 0o700))
	c := helper(t, "out=up", "until="+gate, "exit=1")
	c.Dir, c.Ready = dir, proc.LogLine("up")
	w, err := tryStart(t, tree.Spec{Children: []tree.Child{{Name: "p", Service: c}}})
	require.NoError(t, err)
	require.NoError(t, os.Remove(dir))
	require.NoError(t, touch(gate))
	err = w.Wait(context.Background())
	require.ErrorIs(t, err, tree.ErrGaveUp)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "directory")
	failed := w.have(tree.StartFailed)
	require.NotEmpty(t, failed)
	require.Equal(t, 2, w.await(tree.GaveUp, 1).Used)
}

// A stop that comes while what the process is to be given is opened is not too
// late.
func TestStopBeforeTheProcessIsStarted(t *testing.T) {
	name := file(t)
	ctx, cancel := context.WithCancel(context.Background())
	c := helper(t, "touch="+name)
	c.Stdin = func() (io.Reader, error) {
		cancel()
		return strings.NewReader(""), nil
	}
	require.NoError(t, c.Serve(ctx))
	require.False(t, exists(name))
}
