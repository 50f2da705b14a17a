package proc_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/coppice-go/coppice/proc"
)

// What was used is what was used: no less, and no more than there was.
func TestExitErrorTellsHowMuchWasUsed(t *testing.T) {
	const cpu, memory = 150 * time.Millisecond, 96 << 20
	began := time.Now()
	e := serve(t, helper(t, "burn=150", "eat=96", "exit=3")).exited()
	took := time.Since(began)
	require.GreaterOrEqual(t, e.User+e.Sys, cpu)
	require.LessOrEqual(t, e.User+e.Sys, took*time.Duration(runtime.NumCPU()))
	require.GreaterOrEqual(t, e.MaxRSS, int64(memory))
	require.Less(t, e.MaxRSS, int64(4*memory))
	require.GreaterOrEqual(t, e.Ran*time.Duration(runtime.NumCPU()), cpu)
	require.LessOrEqual(t, e.Ran, took)
}

func TestCoreDump(t *testing.T) {
	pattern, err := os.ReadFile("/proc/sys/kernel/core_pattern")
	require.NoError(t, err)
	if strings.HasPrefix(string(pattern), "|") || strings.Contains(string(pattern), "/") {
		t.Skipf("cores go elsewhere: %s", pattern)
	}
	var limit unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_CORE, &limit))
	if limit.Max == 0 && os.Geteuid() != 0 {
		t.Skip("cores are forbidden")
	}
	dir := place(t)
	c := &proc.Command{Path: "/bin/sh", Args: []string{"-c", "kill -SEGV $$"}, Dir: dir, Logger: silent}
	c.Limits = map[proc.Resource]proc.Limit{proc.CoreSize: {}}
	e := serve(t, c).exited()
	require.False(t, e.Core)
	require.Equal(t, syscall.SIGSEGV, e.Signal)
	c.Limits[proc.CoreSize] = proc.Limit{Soft: 64 << 20, Hard: 64 << 20}
	e = serve(t, c).exited()
	require.True(t, e.Core)
	require.ErrorContains(t, e, "(core dumped)")
	cores, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	require.Len(t, cores, 1)
}
