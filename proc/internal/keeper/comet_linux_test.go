package keeper

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// What forks, leaves and ends, faster than one can look, is not gone before it is,
// and can be killed.
func TestComet(t *testing.T) {
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("no C compiler: nothing else forks fast enough")
	}
	comet := t.TempDir() + "/comet"
	require.NoError(t, os.WriteFile(comet+".c", []byte(`
#include <unistd.h>
int main(int n, char **stop) {
	while (access(stop[1], F_OK) != 0) {
		if (fork()) _exit(0);
		setsid();
	}
}
`), 0o600))
	out, err := exec.Command(cc, "-O2", "-o", comet, comet+".c").CombinedOutput()
	require.NoError(t, err, string(out))
	both(t, func(t *testing.T) {
		other := shell(t, "exec sleep $T") // or all orphans would be the comet's
		for _, kill := range []bool{false, true} {
			stop := t.TempDir() + "/stop"
			c := shell(t, "exec "+comet+" "+stop)
			require.True(t, c.ended().Left)
			for range 500 {
				require.False(t, c.Gone())
			}
			if !kill {
				require.NoError(t, os.WriteFile(stop, nil, 0o600))
				soon(t, c.Gone)
			}
			c.kill()
		}
		require.Empty(t, other.Ended())
		other.kill()
	})
}

// A guardian that has neither control groups nor marks says what that means.
func TestBlindGuardian(t *testing.T) {
	if os.Getenv("COPPICE_TEST_BLIND") != "" {
		require.NoError(t, unix.Setrlimit(unix.RLIMIT_LOCKS, &unix.Rlimit{Cur: 5, Max: 10}))
		defer Hold()()
		var warned []error
		for range 2 {
			p, err := Start(Spec{Path: "/bin/true", Args: []string{"true"}}, func(err error) { warned = append(warned, err) })
			require.NoError(t, err)
			<-p.Ended()
			p.Forget()
		}
		require.Equal(t, []error{errBlind}, warned)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), "COPPICE_TEST_BLIND=1", "COPPICE_CGROUPS=off")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
}
