package keeper

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStartWithoutHold(t *testing.T) {
	Hold()()
	_, err := Start(Spec{Path: "/bin/true", Args: []string{"true"}}, noWarning(t))
	require.ErrorIs(t, err, ErrGone)
}

// Where /proc tells of other processes than it seems, and where executing the
// program gives it rights, there is no guardian, and processes run all the same.
func TestGuardianRefuses(t *testing.T) {
	if os.Getenv("COPPICE_TEST_REFUSE") != "" {
		defer Hold()()
		var warned error
		p, err := Start(Spec{Path: "/bin/true", Args: []string{"true"}}, func(err error) { warned = err })
		require.NoError(t, err)
		require.Error(t, warned)
		<-p.Ended()
		require.Zero(t, p.End().Code)
		require.NoError(t, p.End().Err)
		require.False(t, p.End().Left)
		require.True(t, p.Gone())
		p.Forget()
		return
	}
	if os.Geteuid() != 0 {
		return // only root can make such a place
	}
	b, err := os.ReadFile("/proc/self/exe")
	require.NoError(t, err)
	program := filepath.Join("/tmp", fmt.Sprintf("coppice-%d-setuid.test", os.Getpid()))
	require.NoError(t, os.WriteFile(program, b, 0o755))
	defer os.Remove(program)
	require.NoError(t, os.Chmod(program, 0o755|os.ModeSetuid))
	for name, attr := range map[string]*syscall.SysProcAttr{
		"namespace": {Cloneflags: syscall.CLONE_NEWPID},
		"setuid":    {Credential: &syscall.Credential{Uid: 12345, Gid: 12345}},
	} {
		path := program
		if name == "namespace" {
			path = "/proc/self/exe"
		}
		cmd := exec.Command(path, "-test.run=^TestGuardianRefuses$")
		cmd.Env = append(os.Environ(), "COPPICE_TEST_REFUSE=1")
		cmd.Dir = "/tmp"
		cmd.SysProcAttr = attr
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s: %s", name, out)
	}
}
