package keeper

import (
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// With it in the environment a starter is a program that does much else already.
const busyStarter = "COPPICE_TEST_BUSY_STARTER"

// What a program begins before its starter takes over.
var _ = func() struct{} {
	if os.Args[0] == starterName && os.Getenv(busyStarter) != "" {
		for range 4 {
			go beBusy()
		}
	}
	return struct{}{}
}()

// beBusy needs more memory all the time, threads too, and ends the process when it
// gets none.
func beBusy() {
	for {
		if b, err := unix.Mmap(-1, 0, 1, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON); err != nil || unix.Munmap(b) != nil {
			os.Exit(9)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			runtime.LockOSThread() // and with it the thread ends
		}()
		<-done
	}
}

// From the first limit on there may be room for nothing, neither a byte nor a thread.
func TestStarterNeedsNothingOnceLimited(t *testing.T) {
	words := slices.Repeat([]string{strings.Repeat("x", 99)}, 15_000)
	core := slices.Repeat([]Rlimit{{Resource: unix.RLIMIT_CORE}}, 200_000) // it takes so long that it would be preempted
	for name, c := range map[string]struct {
		args []string
		more []Rlimit
		busy string
	}{
		"long": {args: words},
		"late": {more: core},
		"busy": {busy: "1", more: core},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(busyStarter, c.busy)
			defer Hold()()
			for _, resource := range []int{unix.RLIMIT_AS, unix.RLIMIT_DATA} {
				limits := append([]Rlimit{{Resource: resource, Soft: 16 << 20, Hard: 16 << 20}}, c.more...)
				p, err := Start(Spec{Path: "/bin/true", Args: c.args, Setup: &Setup{Umask: -1, Limits: limits}}, noWarning(t))
				require.NoError(t, err)
				require.Zero(t, (&child{p, t, nil}).ended().Code)
				p.Forget()
			}
		})
	}
}

func TestStarterWritesNothing(t *testing.T) {
	t.Setenv("GODEBUG", "inittrace=1")
	require.Equal(t, "up\n", output(t, Spec{Path: "/bin/echo", Args: []string{"echo", "up"}, Setup: &Setup{Umask: -1}}))
}

// Of an id no bit is lost, and of groups none.
func TestStarterTakesLargeIDs(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can run a process as somebody else")
	}
	who := &Credential{UID: 1<<16 + 5, GID: 1<<17 + 6, Groups: []uint32{70_000, 80_000, 90_000}}
	said := output(t, Spec{
		Path: "/bin/sh", Args: []string{"sh", "-c", "id -u; id -g; id -G"}, Dir: "/", Setup: &Setup{Umask: -1, Credential: who},
	})
	require.Equal(t, "65541\n131078\n131078 70000 80000 90000\n", said)
}

// output runs a process to its end.
func output(t *testing.T, s Spec) string {
	defer Hold()()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	s.Files = []*os.File{w, w, w}
	p, err := Start(s, noWarning(t))
	w.Close()
	require.NoError(t, err)
	said, err := io.ReadAll(r)
	require.NoError(t, err)
	<-p.Ended()
	p.Forget()
	return string(said)
}
