package proc_test

import (
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/proc"
)

// A program that is killed takes the processes of its tree along.
func TestProcessesDieWithTheProgram(t *testing.T) {
	j := &journal{}
	c := helper(t, "tree="+strings.Join([]string{is("ignore", syscall.SIGTERM), "out=up", "wait"}, "|"))
	c.Ready, c.Logger = proc.LogLine("^tree up$"), j.logger()
	r := serve(t, c)
	j.await(t, "tree up")
	var children []string
	for _, line := range j.lines("stdout") {
		if pid, ok := strings.CutPrefix(line, "child "); ok {
			children = append(children, pid)
		}
	}
	require.Len(t, children, 3)
	_, _, parent, _ := status(children[0])
	program, err := strconv.Atoi(parent)
	require.NoError(t, err)
	for _, pid := range children {
		_, group, _, _ := status(pid)
		require.Equal(t, pid, group, "it has left the program's group")
		require.True(t, alive(pid))
	}
	require.NoError(t, syscall.Kill(program, syscall.SIGKILL))
	require.Equal(t, syscall.SIGKILL, r.exited().Signal)
	for _, pid := range children {
		require.Eventually(t, func() bool { return !alive(pid) }, patience, glance)
	}
}

// A process outlives the thread of who asked for it: each is started by a
// goroutine that takes its thread along when it ends.
func TestProcessesOutliveTheThreadThatAskedForThem(t *testing.T) {
	const n = 200
	var hold sync.WaitGroup
	runs := make([]*run, n)
	journals := make([]*journal, n)
	hold.Add(n)
	for i := range n {
		journals[i] = &journal{}
		c := &proc.Command{Path: "sh", Args: []string{"-c", "echo up; exec sleep 1000"}, Logger: journals[i].logger()}
		go func() {
			defer hold.Done()
			runtime.LockOSThread() // and never unlocked
			runs[i] = serve(t, c)
		}()
	}
	hold.Wait()
	for _, j := range journals {
		j.await(t, "up")
	}
	for i, r := range runs {
		pid := strconv.FormatInt(journals[i].all()[0].attrs["pid"].(int64), 10)
		require.True(t, alive(pid))
		require.Empty(t, r.done)
	}
	for _, r := range runs {
		r.cancel()
	}
	for _, r := range runs {
		require.NoError(t, r.end())
	}
}

// The same where Serve itself runs on such threads, one after the other.
func TestEveryServeOnAThreadOfItsOwn(t *testing.T) {
	j := &journal{}
	stays := serve(t, &proc.Command{Path: "sh", Args: []string{"-c", "echo up; exec sleep 1000"}, Logger: j.logger()})
	j.await(t, "up")
	for range 200 {
		done := make(chan error)
		go func() {
			runtime.LockOSThread()
			done <- (&proc.Command{Path: "true"}).Serve(t.Context())
		}()
		require.NoError(t, <-done)
	}
	require.Empty(t, stays.done, "it lives on")
	stays.cancel()
	require.NoError(t, stays.end())
}
