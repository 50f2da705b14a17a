package proc_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/coppice-go/coppice/proc"
)

// A process has open what it was given, and nothing else, also while others start
// that are given something.
func TestProcessHasOnlyItsOwnFiles(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for k := range 12 {
				var out strings.Builder
				c := &proc.Command{Path: "/bin/bash", Args: []string{"-c", openHere}, Stdout: &out, Logger: silent}
				want := "0 1 2"
				if k%2 == 0 {
					c.Stdin = proc.Text("x")
				}
				if k%3 == 0 {
					c.Sockets, want = []proc.Socket{{Source: l.(*net.TCPListener)}}, want+" 3"
				}
				if i%2 == 0 {
					c.Files = []*os.File{os.Stderr, os.Stdin}[:i/2%2+1]
					for range c.Files {
						want = fmt.Sprint(want, " ", len(strings.Fields(want)))
					}
				}
				if err := c.Serve(t.Context()); err != nil || strings.TrimSpace(out.String()) != want {
					t.Errorf("%v: open: %q, want %q", err, out.String(), want)
				}
			}
		})
	}
	wg.Wait()
}

// fromABadParent runs this program, playing steps, as the child of one that
// ignores signals, blocks others, and left a file open.
func fromABadParent(t *testing.T, steps ...string) []string {
	script := `trap '' HUP INT QUIT PIPE USR1 TERM CHLD CONT TSTP TTIN TTOU WINCH URG; exec 9</etc/passwd; exec 250</etc/passwd; ulimit -Sn 777; exec "$0" "$@"`
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var old unix.Sigset_t
	blocked := unix.Sigset_t{Val: [16]uint64{1<<(unix.SIGUSR2-1) | 1<<(unix.SIGALRM-1) | 1<<40}}
	require.NoError(t, unix.PthreadSigmask(unix.SIG_BLOCK, &blocked, &old))
	defer func() { require.NoError(t, unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil)) }()
	self := helper(t)
	cmd := exec.Command("/bin/bash", append([]string{"-c", script, self.Path}, steps...)...)
	cmd.Env = append(os.Environ(), self.Env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err)
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

func TestFilesOfTheParentAreNotInherited(t *testing.T) {
	require.Subset(t, strings.Fields(fromABadParent(t, "files")[0]), []string{"9", "250"}, "or the test tests nothing")
	require.Equal(t, []string{"0 1 2", "0 1 2"}, fromABadParent(t, "keep=files"))
}

// A process blocks and ignores no signal, has no terminal, and is otherwise as
// one of os/exec.
func TestProcessIsCleanWhateverTheParent(t *testing.T) {
	bare := fromABadParent(t, "status")
	kept := fromABadParent(t, "keep=status")
	require.Len(t, kept, 2*len(bare))
	require.Equal(t, kept[:len(bare)], kept[len(bare):], "the starter makes no difference")
	for _, key := range []string{"SigBlk", "SigIgn"} {
		require.NotZero(t, signalsIn(t, bare, key), "or the test tests nothing")
		require.Zero(t, signalsIn(t, kept, key), key)
	}
	same := func(lines []string) []string {
		return slices.DeleteFunc(slices.Clone(lines), func(s string) bool {
			return strings.HasPrefix(s, "SigBlk") || strings.HasPrefix(s, "SigIgn") || strings.HasPrefix(s, "SHLVL") || strings.HasPrefix(s, "_=")
		})
	}
	require.Equal(t, same(bare), same(kept[:len(bare)]))
	require.Contains(t, strings.Join(kept, "\n"), "Max open files            777 ")
}

// signalsIn is a set of signals in /proc/PID/status, without those that the C
// library keeps for itself, and has ignored in whatever it spawns.
func signalsIn(t *testing.T, status []string, key string) uint64 {
	for _, line := range status {
		if set, ok := strings.CutPrefix(line, key+":\t"); ok {
			n, err := strconv.ParseUint(set, 16, 64)
			require.NoError(t, err)
			return n &^ (1<<(32-1) | 1<<(33-1))
		}
	}
	require.Fail(t, "not in the status", key)
	return 0
}

// The process leads a group in a session that has no terminal.
func TestProcessHasNoTerminal(t *testing.T) {
	got := says(t, `read -r _ _ _ _ group session tty rest < /proc/$$/stat; [ $group = $$ ] && echo leads; echo $tty; (: </dev/tty) 2>/dev/null || echo none`, func(*proc.Command) {})
	require.Equal(t, []string{"leads", "0", "none"}, got)
}

// A socket is blocking, which is what a program expects that knows no better.
func TestSocketsAreBlocking(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	got := says(t, `cat /proc/$$/fdinfo/3`, func(c *proc.Command) { c.Sockets = []proc.Socket{{Source: l.(*net.TCPListener)}} })
	require.Equal(t, "flags:\t02", got[1], "not 04002")
}
