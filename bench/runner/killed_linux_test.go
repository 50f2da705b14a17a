package runner

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A cell does not outlive a runner that is killed.
func TestKilledRunner(t *testing.T) {
	if pid := os.Getenv("BENCH_TEST_PID"); pid != "" {
		p := plan(&log{}, script("echo $$ > "+pid+".new; mv "+pid+".new "+pid+"; exec sleep 1000"))
		_, err := p.Run(context.Background(), about())
		require.NoError(t, err)
		return
	}
	pid := filepath.Join(t.TempDir(), "pid")
	runner := exec.Command(os.Args[0], "-test.run=^TestKilledRunner$")
	runner.Env = append(os.Environ(), "BENCH_TEST_PID="+pid)
	require.NoError(t, runner.Start())
	var text []byte
	require.Eventually(t, func() (there bool) {
		var err error
		text, err = os.ReadFile(pid)
		return err == nil
	}, 10*time.Second, time.Millisecond)
	require.False(t, gone(string(text)))
	require.NoError(t, runner.Process.Kill())
	_ = runner.Wait()
	require.Eventually(t, func() bool { return gone(string(text)) }, 10*time.Second, time.Millisecond)
}
