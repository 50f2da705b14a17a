package keeper

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// While a start hangs, as in a control group that is frozen, others are served, also
// if the guardian was fast asleep, and for as long as there is garbage to collect.
func TestOthersAreServedWhileAStartHangs(t *testing.T) {
	if ours(t) == "" {
		t.Skip("no control groups: nothing else hangs at will")
	}
	for _, procs := range []string{"1", "2"} {
		t.Run("GOMAXPROCS="+procs, func(t *testing.T) {
			t.Setenv("GOMAXPROCS", procs)
			t.Setenv("GOGC", "1")
			defer Hold()()
			c := shell(t, "(sleep $T &); echo up; exec sleep $T") // for an orphan the guardian's main thread waits
			c.read()
			guardian := parentOf(t, c.PID)
			thaw := freezeNext(t, guardian)
			defer thaw()
			awaitSleep(t, guardian)
			started := make(chan *Process, 1)
			go func() {
				p, err := Start(Spec{Path: "/bin/true", Args: []string{"true"}, Env: os.Environ()}, noWarning(t))
				if err != nil {
					t.Error(err)
				}
				started <- p
			}()
			soon(t, func() bool { return calls() == 1 })
			for range 300 {
				require.True(t, c.Has(c.PID))
			}
			require.NoError(t, c.Signal(syscall.SIGKILL, All))
			require.Equal(t, syscall.SIGKILL, c.ended().Signal)
			require.Equal(t, 1, calls(), "the start hangs still")
			thaw()
			p := <-started
			require.NotNil(t, p)
			<-p.Ended()
			p.Forget()
			c.kill()
		})
	}
}

// A program that is killed while a start hangs is not outlived by its guardian.
func TestProgramIsKilledWhileAStartHangs(t *testing.T) {
	if ours(t) == "" {
		t.Skip("no control groups: nothing else hangs at will")
	}
	for _, env := range []string{"GOMAXPROCS=1", "GOGC=1"} {
		t.Run(env, func(t *testing.T) {
			program, in, out := startHanging(t, env)
			var pid int
			_, err := fmt.Fscanln(out, &pid)
			require.NoError(t, err)
			guardian := parentOf(t, pid)
			defer freezeNext(t, guardian)()
			awaitSleep(t, guardian)
			require.NoError(t, in.Close())
			_, _ = fmt.Fscanln(out, &pid) // until much was asked, or the guardian does not answer
			require.NoError(t, program.Kill())
			soon(t, func() bool { return hasEnded(guardian) })
			require.Zero(t, sleepers())
		})
	}
}

// Nor if it is stopped, and the program is not there to wake it up.
func TestProgramIsKilledWhileTheGuardianIsStopped(t *testing.T) {
	program, _, out := startHanging(t, "GOMAXPROCS=2")
	var pid int
	_, err := fmt.Fscanln(out, &pid)
	require.NoError(t, err)
	guardian := parentOf(t, pid)
	for _, p := range []int{program.Pid, guardian} {
		require.NoError(t, syscall.Kill(p, syscall.SIGSTOP))
		soon(t, func() bool { return stateOf(p) == "T" })
	}
	defer func() { _ = syscall.Kill(guardian, syscall.SIGCONT) }()
	require.NoError(t, program.Kill())
	soon(t, func() bool { return hasEnded(guardian) })
	require.Zero(t, sleepers())
}

func hasEnded(pid int) bool {
	s, ok := readStat(pid)
	return !ok || s.zombie
}

func stateOf(pid int) string {
	b, _ := readProc("/proc/" + strconv.Itoa(pid) + "/stat")
	_, state, _ := strings.Cut(string(b), ") ")
	return state[:min(1, len(state))]
}

func startHanging(t *testing.T, env string) (program *os.Process, in io.Closer, out io.Reader) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), hangingEnv+"="+forever, env)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err = cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
	return cmd.Process, in, out
}

const hangingEnv = "KEEPER_TEST_HANGS"

// hang is the program of these tests. It starts a process, and another when its input
// ends.
func hang() {
	forever = os.Getenv(hangingEnv)
	defer Hold()()
	warn := func(err error) { panic(err) }
	c, err := Start(Spec{Path: "/bin/sleep", Args: []string{"sleep", forever}}, warn)
	if err != nil {
		panic(err)
	}
	fmt.Println(c.PID)
	_, _ = io.Copy(io.Discard, os.Stdin)
	go func() { _, _ = Start(Spec{Path: "/bin/true", Args: []string{"true"}}, warn) }()
	for calls() == 0 {
		runtime.Gosched()
	}
	time.AfterFunc(time.Second, func() { fmt.Println(0) })
	for range 300 {
		c.Has(c.PID)
	}
	fmt.Println(0)
	select {}
}

// What is left of messages is collected.
func TestGuardianCollectsGarbage(t *testing.T) {
	both(t, func(t *testing.T) {
		c := shell(t, "echo up; exec sleep $T")
		c.read()
		long := make([]string, 50)
		for i := range long {
			long[i] = strings.Repeat("x", 20<<10)
		}
		for range 200 {
			_, err := Start(Spec{Path: "/none", Args: long}, noWarning(t))
			require.ErrorIs(t, err, fs.ErrNotExist)
		}
		b, err := os.ReadFile("/proc/" + strconv.Itoa(parentOf(t, c.PID)) + "/status")
		require.NoError(t, err)
		m := regexp.MustCompile(`VmHWM:\s*(\d+) kB`).FindSubmatch(b)
		require.NotNil(t, m)
		kB, _ := strconv.Atoi(string(m[1]))
		require.Less(t, kB, 100<<10)
		c.kill()
	})
}

// freezeNext freezes the control group of the process that the guardian starts next.
func freezeNext(t *testing.T, guardian int) (thaw func()) {
	t.Helper()
	var freezer string
	soon(t, func() bool {
		groups, err := filepath.Glob(filepath.Join(ownCgroup(), fmt.Sprintf("%s%d-*", cgroupPrefix, guardian), "*", "cgroup.freeze"))
		require.NoError(t, err)
		if len(groups) < 2 {
			return false
		}
		freezer = slices.Max(groups)
		return true
	})
	require.NoError(t, os.WriteFile(freezer, []byte("1"), 0))
	return func() { _ = os.WriteFile(freezer, []byte("0"), 0) }
}

var switches = regexp.MustCompile(`(?m)^voluntary_ctxt_switches:\s*(\d+)$`)

// awaitSleep waits until no thread of a process runs, not even the one that looks
// after the others every 10 ms.
func awaitSleep(t *testing.T, pid int) {
	t.Helper()
	last := -1
	require.Eventually(t, func() bool {
		sum := 0
		names, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/status")
		for _, name := range names {
			b, _ := os.ReadFile(name)
			if m := switches.FindSubmatch(b); m != nil {
				n, _ := strconv.Atoi(string(m[1]))
				sum += n
			}
		}
		asleep := sum == last
		last = sum
		return asleep
	}, 30*time.Second, 50*time.Millisecond)
}
