package keeper

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// forever is how long the processes of these tests sleep, a number that no other
// has: by it they are found.
var forever = fmt.Sprintf("%d.%d", 100_000+os.Getpid(), time.Now().UnixNano())

func TestMain(m *testing.M) {
	if os.Getenv(hangingEnv) != "" {
		hang()
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if n := sleepers(); n > 0 {
			fmt.Fprintln(os.Stderr, "left behind:", n)
			code = max(code, 1)
		}
		os.Exit(code)
	}))
}

// sleepers counts the living processes that sleep for ever.
func sleepers() (n int) {
	names, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range names {
		b, _ := os.ReadFile(name)
		if bytes.Contains(b, []byte("sleep\x00"+forever)) {
			n++
		}
	}
	return n
}

// both runs a test with control groups, where there are any, and without.
func both(t *testing.T, test func(t *testing.T)) {
	for _, cgroups := range []string{"", "off"} {
		t.Run("cgroups="+cgroups, func(t *testing.T) {
			t.Setenv("COPPICE_CGROUPS", cgroups)
			defer Hold()()
			test(t)
		})
	}
}

// child is a process and the line reader of its output.
type child struct {
	*Process
	t   testing.TB
	out *os.File
}

// shell starts a script, in which $T is for ever.
func shell(t testing.TB, script string) *child {
	t.Helper()
	null, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer null.Close()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer w.Close()
	t.Cleanup(func() { r.Close() })
	p, err := Start(Spec{Path: "/bin/sh", Args: []string{"sh", "-c", script}, Env: append(os.Environ(), "T="+forever), Files: []*os.File{null, w, null}}, noWarning(t))
	require.NoError(t, err)
	return &child{p, t, r}
}

func noWarning(t testing.TB) func(error) {
	return func(err error) { t.Error(err) }
}

// read reads until there is an end of line.
func (c *child) read() string {
	c.t.Helper()
	require.NoError(c.t, c.out.SetReadDeadline(time.Now().Add(30*time.Second)))
	var line []byte
	for b := make([]byte, 1); ; {
		_, err := c.out.Read(b)
		require.NoError(c.t, err)
		if b[0] == '\n' {
			return string(line)
		}
		line = append(line, b[0])
	}
}

func (c *child) ended() End {
	c.t.Helper()
	select {
	case <-c.Ended():
	case <-time.After(30 * time.Second):
		require.FailNow(c.t, "it does not end")
	}
	return c.End()
}

// kill kills all until nothing is left.
func (c *child) kill() {
	c.t.Helper()
	soon(c.t, func() bool {
		_ = c.Signal(9, All)
		return c.Gone()
	})
	c.Forget()
}

func soon(t testing.TB, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, 30*time.Second, time.Millisecond)
}

func parentOf(t testing.TB, pid int) int {
	s, ok := readStat(pid)
	require.True(t, ok)
	return s.ppid
}

func openFiles(t testing.TB, pid int) int {
	list, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/fd")
	require.NoError(t, err)
	return len(list)
}
