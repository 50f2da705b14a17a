package proc_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/proc"
	"github.com/coppice-go/coppice/tree"
)

var processes = flag.Int("processes", 200, "how many processes TestManyProcesses keeps")

// maxThreads is far below one for each process.
const maxThreads = 64

// Many processes under one tree, killed at random: each comes back, none costs a
// thread, and nothing is left of them.
func TestManyProcesses(t *testing.T) {
	n := *processes
	filesBefore := openFiles(t, os.Getpid())
	rssBefore := statusOf(t, os.Getpid(), "VmRSS")
	begun := time.Now()
	children := make([]tree.Child, n)
	for i := range children {
		children[i] = tree.Child{Name: fmt.Sprint("p", i), Service: &proc.Command{Path: "/bin/sleep", Args: []string{"1000"}, Logger: silent}}
	}
	w := start(t, children...)
	t.Logf("%d started in %v", n, time.Since(begun).Round(time.Millisecond))

	guardian := parentOf(t, w.node("p0").PID)
	for name, pid := range map[string]int{"the program": os.Getpid(), "its guardian": guardian} {
		threads := statusOf(t, pid, "Threads")
		t.Logf("%s: %d threads, %d kB resident, %d open files", name, threads, statusOf(t, pid, "VmRSS"), openFiles(t, pid))
		require.Less(t, threads, maxThreads, name)
	}
	t.Logf("%.1f kB of the program for each", float64(statusOf(t, os.Getpid(), "VmRSS")-rssBefore)/float64(n))

	begun = time.Now()
	killed := 0
	snapshot, err := w.Snapshot(t.Context())
	require.NoError(t, err)
	for _, i := range rand.Perm(n)[:n/2] {
		if syscall.Kill(snapshot.Children[i].PID, syscall.SIGKILL) == nil {
			killed++
		}
	}
	w.await(tree.ChildStarted, n+killed)
	t.Logf("%d killed, and running again in %v", killed, time.Since(begun).Round(time.Millisecond))
	for i := range n {
		require.Equal(t, tree.Running, w.node(fmt.Sprint("p", i)).State)
	}

	begun = time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err = w.Stop(ctx)
	require.NoError(t, err)
	t.Logf("stopped in %v", time.Since(begun).Round(time.Millisecond))
	require.Eventually(t, func() bool { return openFiles(t, os.Getpid()) <= filesBefore }, patience, glance)
}

func openFiles(t *testing.T, pid int) int {
	names, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(pid), "fd"))
	require.NoError(t, err)
	return len(names)
}

// statusOf is a number in /proc/PID/status.
func statusOf(t *testing.T, pid int, key string) int {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	require.NoError(t, err)
	_, after, _ := strings.Cut(string(b), key+":")
	n, err := strconv.Atoi(strings.Fields(after)[0])
	require.NoError(t, err)
	return n
}

func parentOf(t *testing.T, pid int) int { return statusOf(t, pid, "PPid") }
