package proc_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
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

// Programs that people run. realVar says that all of them must be there.
const realVar = "COPPICE_REAL"

// need returns where a program is, of that package of Debian.
func need(t testing.TB, program, pkg string) string {
	path := locate(program)
	if path != "" {
		return path
	}
	if os.Getenv(realVar) == "require" {
		require.FailNow(t, "missing: "+program, "apt-get install %s", pkg)
	}
	t.Skipf("no %s: apt-get install %s", program, pkg)
	return ""
}

// locate looks where an administrator's PATH leads, and where Debian keeps what is
// not meant for it.
func locate(program string) string {
	own, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + program)
	for _, path := range append(own, "/usr/sbin/"+program) {
		if syscall.Access(path, 1) == nil {
			return path
		}
	}
	path, _ := exec.LookPath(program)
	return path
}

// address is one that nobody else uses: of the many that the loopback device has,
// so that no connection's own port is in the way.
func address(t testing.TB) string {
	for {
		a := fmt.Sprintf("127.%d.%d.%d:7000", 1+rand.N(254), rand.N(256), 1+rand.N(254))
		l, err := net.Listen("tcp", a)
		if err == nil {
			require.NoError(t, l.Close())
			return a
		}
	}
}

// place is a directory of the test's own, in which programs run and by which they
// are found, with a name that is short enough for a socket in it.
func place(t testing.TB) string {
	dir, err := os.MkdirTemp("", "coppice-")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o755))
	t.Cleanup(func() {
		require.Empty(t, in(dir))
		require.NoError(t, os.RemoveAll(dir))
	})
	return dir
}

// in is the processes that have anything to do with dir: who works in it, has a
// file of it open, or has its name among arguments or environment. Servers write
// over the latter two.
func in(dir string) (list []string) {
	me := strconv.Itoa(os.Getpid())
	pids, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range pids {
		if filepath.Base(p) == me {
			continue
		}
		links, _ := filepath.Glob(p + "/fd/*")
		found := false
		for _, link := range append(links, p+"/cwd") {
			target, _ := os.Readlink(link)
			found = found || strings.HasPrefix(target, dir)
		}
		cmdline, _ := os.ReadFile(p + "/cmdline")
		environ, _ := os.ReadFile(p + "/environ")
		if found || bytes.Contains(cmdline, []byte(dir)) || bytes.Contains(environ, []byte(dir)) {
			list = append(list, fmt.Sprintf("%s: %q", p, bytes.TrimRight(cmdline, "\x00")))
		}
	}
	return list
}

// killed kills the process itself, and waits until it is back.
func (w *world) killed(name string) {
	w.t.Helper()
	n := w.node(name)
	require.NoError(w.t, syscall.Kill(n.PID, syscall.SIGKILL))
	w.back(name, n.Incarnation)
}

// back waits for a later incarnation.
func (w *world) back(name string, old int) {
	w.t.Helper()
	require.Eventually(w.t, func() bool {
		n, err := w.Find(context.Background(), "root/"+name)
		return err == nil && n.State == tree.Running && n.Incarnation > old
	}, patience, glance, "%s", name)
}

// get is the body that a server answers with.
func get(url string) (string, error) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

// soon waits for an answer.
func soon(t testing.TB, want string, ask func() (string, error)) {
	t.Helper()
	var got string
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(glance) {
		if got, err = ask(); err == nil && got == want {
			return
		}
	}
	require.FailNow(t, "no such answer", "want %q, got %q, %v", want, got, err)
}

// output is what a program writes, on both streams.
func output(path string, args ...string) (string, error) {
	b, err := exec.Command(path, args...).CombinedOutput()
	return strings.TrimSpace(string(b)), err
}

// with is a copy of c that is changed.
func with(c *proc.Command, change func(*proc.Command)) *proc.Command {
	copied := *c
	change(&copied)
	return &copied
}
