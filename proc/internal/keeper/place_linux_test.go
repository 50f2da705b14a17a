package keeper

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// A process begins where the program is, and not where it was.
func TestProgramChangesItsDirectory(t *testing.T) {
	both(t, func(t *testing.T) {
		where := func() string {
			c := shell(t, "pwd -P")
			defer c.Forget()
			line := c.read()
			c.ended()
			return line
		}
		before, err := os.Getwd()
		require.NoError(t, err)
		require.Equal(t, before, where())
		dir, err := filepath.EvalSymlinks(t.TempDir())
		require.NoError(t, err)
		t.Chdir(dir)
		require.Equal(t, dir, where())
		t.Chdir(before)
		require.Equal(t, before, where())
	})
}

func TestHere(t *testing.T) {
	before := here()
	require.Equal(t, before, here())
	t.Chdir(t.TempDir())
	require.NotEqual(t, before, here())
}

// The null device in the place of a first file that is nil can be read, and not
// written to.
func TestNoFirstFile(t *testing.T) {
	for _, guardian := range []string{"", "off"} {
		t.Run("guardian="+guardian, func(t *testing.T) {
			t.Setenv("COPPICE_GUARDIAN", guardian)
			defer Hold()()
			r, w, err := os.Pipe()
			require.NoError(t, err)
			defer r.Close()
			script := `readlink /proc/self/fd/0; read line; echo $? "$line"; (echo no >&0) 2>/dev/null || echo cannot`
			p, err := Start(Spec{Path: "/bin/sh", Args: []string{"sh", "-c", script}, Env: os.Environ(), Files: []*os.File{nil, w, w}}, noWarning(t))
			require.NoError(t, err)
			w.Close()
			c := &child{p, t, r}
			require.Equal(t, os.DevNull, c.read())
			require.Equal(t, "1 ", c.read())
			require.Equal(t, "cannot", c.read())
			require.Equal(t, syscall.Signal(0), c.ended().Signal)
			c.Forget()
		})
	}
}
