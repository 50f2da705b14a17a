package keeper

import (
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// A start that has begun when all are killed is killed, too, and no other begins.
func TestKillAllDuringAStart(t *testing.T) {
	if os.Getenv("COPPICE_TEST_KILL_ALL") == "" { // it kills whatever the process has started
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), "COPPICE_TEST_KILL_ALL=1", "COPPICE_CGROUPS=off")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		return
	}
	ks := newKids(false)
	k := &kid{}
	ks.takeSlot(k, 1) // as far as start has come
	forked := make(chan error)
	go func() {
		for ks.mu.TryLock() { // until they are being killed
			ks.mu.Unlock()
		}
		_, _, err := ks.fork(k, Spec{Path: "/bin/sleep", Args: []string{"sleep", forever}}, -1, nil)
		ks.forking.Store(false)
		forked <- err
	}()
	ks.killAll()
	require.NoError(t, <-forked)
	_, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
	require.Equal(t, syscall.ECHILD, err, "it is dead, and buried")
	require.False(t, ks.mu.TryLock(), "the next start waits")
}
