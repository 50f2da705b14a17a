//go:build unix

package proc_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/proc"
)

// script writes a file into a directory of its own.
func script(t *testing.T, text string, mode os.FileMode) string {
	name := filepath.Join(t.TempDir(), "script")
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	require.NoError(t, os.Chmod(name, mode))
	return name
}

func TestStartOfAFileThatIsNotExecutable(t *testing.T) {
	err := notStarted(t, &proc.Command{Path: script(t, "#!/bin/sh\n", 0o600)})
	require.ErrorIs(t, err, fs.ErrPermission)
}

func TestStartOfAFileOfNoFormat(t *testing.T) {
	err := notStarted(t, &proc.Command{Path: script(t, "exit 0\n", 0o700)})
	require.ErrorIs(t, err, syscall.ENOEXEC)
}

func TestStartOfAScriptWithoutItsInterpreter(t *testing.T) {
	err := notStarted(t, &proc.Command{Path: script(t, "#!/no/such/shell\n", 0o700)})
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// A program in the working directory is not run by its name alone.
func TestStartFromTheWorkingDirectory(t *testing.T) {
	name := script(t, "#!/bin/sh\nexit 4\n", 0o700)
	t.Chdir(filepath.Dir(name))
	t.Setenv("PATH", ".:"+os.Getenv("PATH"))
	require.ErrorIs(t, notStarted(t, &proc.Command{Path: "script"}), exec.ErrDot)
	require.Equal(t, 4, serve(t, &proc.Command{Path: "./script"}).exited().Code)
}

func TestARelativePathIsRelativeToDir(t *testing.T) {
	name := script(t, "#!/bin/sh\nexit 4\n", 0o700)
	require.Equal(t, 4, serve(t, &proc.Command{Path: "./script", Dir: filepath.Dir(name)}).exited().Code)
}

func TestStandardInputIsEmpty(t *testing.T) {
	j := &journal{}
	require.NoError(t, serve(t, &proc.Command{Path: "cat", Logger: j.logger()}).end())
	require.Empty(t, j.lines("stdout"))
}
