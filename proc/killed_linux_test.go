package proc_test

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/proc"
	"github.com/coppice-go/coppice/tree"
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
	program := int(j.all()[0].attrs["pid"].(int64))
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

var kills = flag.Int("kills", 20, "how often the program is killed")

// A program that is killed at any moment leaves nothing behind, whatever the
// processes of its tree have done to get away.
func TestNothingOutlivesTheProgram(t *testing.T) {
	for _, mode := range []string{"COPPICE_CGROUPS=on", "COPPICE_CGROUPS=off"} {
		t.Run(mode, func(t *testing.T) {
			usual := time.Duration(0) // until the tree is up
			for i := range *kills {
				number := fmt.Sprintf("%d.%d", 200_000+os.Getpid(), time.Now().UnixNano())
				c := helper(t, "mess="+number)
				program := exec.Command(c.Path, c.Args...)
				program.Env = append(append(os.Environ(), c.Env...), mode)
				out, err := program.StdoutPipe()
				require.NoError(t, err)
				began := time.Now()
				require.NoError(t, program.Start())
				if i == 0 {
					line, err := bufio.NewReader(out).ReadString('\n')
					require.NoError(t, err)
					require.Equal(t, "tree up\n", line)
					usual = time.Since(began)
					require.NotZero(t, sleepers(number))
				} else {
					time.Sleep(rand.N(usual * 3 / 2))
				}
				// The other two make Go print all goroutines and exit.
				sig := []syscall.Signal{syscall.SIGKILL, syscall.SIGQUIT, syscall.SIGSEGV}[i%3]
				require.NoError(t, program.Process.Signal(sig))
				require.Error(t, program.Wait())
				require.Eventually(t, func() bool { return sleepers(number) == 0 && len(look()) == 0 }, patience, glance)
			}
		})
	}
}

// A program that has a tree itself is a child like any other.
func TestTreeBelowATree(t *testing.T) {
	for _, mode := range []string{"on", "off"} {
		t.Setenv("COPPICE_CGROUPS", mode)
		for _, shutdown := range []time.Duration{tree.Brutal, tree.Infinity} {
			for _, sig := range []syscall.Signal{0, syscall.SIGSTOP, syscall.SIGKILL} {
				if sig == syscall.SIGSTOP && shutdown == tree.Infinity {
					continue // it is woken up, but what it does of it is its own affair
				}
				t.Run(fmt.Sprint(mode, shutdown, sig), func(t *testing.T) {
					number := fmt.Sprintf("%d.%d", 200_000+os.Getpid(), time.Now().UnixNano())
					c := helper(t, "mess="+number)
					c.Ready = proc.LogLine("^tree up$")
					w := start(t, tree.Child{Name: "p", Service: c, Shutdown: shutdown, Policy: slow})
					require.NotZero(t, sleepers(number))
					require.NoError(t, syscall.Kill(w.node("p").PID, sig))
					w.stop()
					require.Zero(t, sleepers(number))
				})
			}
		}
	}
}

// sleepers counts the processes that sleep for so long.
func sleepers(number string) (n int) {
	names, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range names {
		if b, _ := os.ReadFile(name); bytes.Contains(b, []byte("sleep\x00"+number)) {
			n++
		}
	}
	return n
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
