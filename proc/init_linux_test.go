package proc_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/proc"
)

// asFirst runs a program as the first process of a pid namespace, with a /proc of
// its own.
func asFirst(t *testing.T, steps ...string) *exec.Cmd {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can make a pid namespace")
	}
	c := helper(t, append([]string{"init"}, steps...)...)
	cmd := exec.Command(c.Path, c.Args...)
	cmd.Env = append(os.Environ(), c.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID, Unshareflags: syscall.CLONE_NEWNS}
	return cmd
}

// becomeInit is the helper's step.
func becomeInit() {
	if os.Getpid() == 1 {
		check(syscall.Mount("proc", "/proc", "proc", 0, ""))
	}
	check(proc.BecomeInit())
	if os.Getpid() == 1 {
		check(errors.New("still the first process"))
	}
}

// burden is the helper's step: n processes by os/exec, each of which leaves an
// orphan behind, and each of which has its exit code told.
func burden(n int) {
	var wait sync.WaitGroup
	turns := make(chan struct{}, 20)
	for i := range n {
		turns <- struct{}{}
		wait.Go(func() {
			defer func() { <-turns }()
			cmd := exec.Command("/bin/sh", "-c", fmt.Sprintf("(sleep 0.0%d & setsid sleep 0.01 &) ; exit %d", i%5, i%256))
			err := cmd.Run()
			var e *exec.ExitError
			if code := i % 256; code == 0 && err != nil || code != 0 && (!errors.As(err, &e) || e.ExitCode() != code) {
				check(fmt.Errorf("%d ended with %v", code, err))
			}
		})
	}
	wait.Wait()
	sh := &proc.Command{Path: "/bin/sh", Args: []string{"-c", "setsid sleep 0.1 & exit 3"}, ExpectedCodes: []int{3}}
	check(sh.Serve(context.Background()))
	for strays() > 0 {
		time.Sleep(glance)
	}
}

// strays counts the processes beside this one, its init and its guardian.
func strays() (n int) {
	names, err := filepath.Glob("/proc/[0-9]*/stat")
	check(err)
	for _, name := range names {
		pid, _ := strconv.Atoi(strings.Split(name, "/")[2])
		b, err := os.ReadFile(name)
		if err == nil && pid != 1 && pid != os.Getpid() && !strings.Contains(string(b), "(coppice-guard)") {
			n++
		}
	}
	return n
}

func TestInitReapsAndStealsNothing(t *testing.T) {
	out, err := asFirst(t, "burden=600", "burden=100", "exit=42").CombinedOutput()
	var e *exec.ExitError
	require.ErrorAs(t, err, &e, "%s", out)
	require.Equal(t, 42, e.ExitCode(), "%s", out)
}

func TestInitTellsOfASignal(t *testing.T) {
	out, err := asFirst(t, "die=9").CombinedOutput()
	var e *exec.ExitError
	require.ErrorAs(t, err, &e, "%s", out)
	require.Equal(t, 128+9, e.ExitCode())
}

func TestInitPassesSignalsOn(t *testing.T) {
	name := file(t)
	cmd := asFirst(t, "catch=12,caught,7", "touch="+name, "wait")
	require.NoError(t, cmd.Start())
	require.Eventually(t, func() bool { _, err := os.Stat(name); return err == nil }, patience, glance)
	require.NoError(t, cmd.Process.Signal(syscall.SIGUSR2))
	var e *exec.ExitError
	require.ErrorAs(t, cmd.Wait(), &e)
	require.Equal(t, 7, e.ExitCode())
}

func TestInitElsewhere(t *testing.T) {
	require.NoError(t, proc.BecomeInit())
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR1)
	defer signal.Stop(c)
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGUSR1))
	<-c
}
