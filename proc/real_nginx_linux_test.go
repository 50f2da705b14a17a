package proc_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/proc"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

// nginx is a server of one text, and of a file.
type nginx struct{ Dir, Address string }

const nginxConf = `
%s
daemon off;
worker_processes 2;
pid nginx.pid;
error_log stderr notice;
events { worker_connections 64; }
http {
	access_log off;
	client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
	server {
		listen %s;
		location / { return 200 "%s"; }
		location /big { root .; }
	}
}
`

func newNginx(t testing.TB, dir string) nginx {
	need(t, "nginx", "nginx-light")
	n := nginx{dir, address(t)}
	n.configure(t, "one")
	return n
}

// configure sets the text.
func (n nginx) configure(t testing.TB, text string) {
	user := ""
	if os.Geteuid() == 0 {
		user = "user nobody nogroup;"
	}
	require.NoError(t, os.WriteFile(n.Dir+"/nginx.conf", fmt.Appendf(nil, nginxConf, user, n.Address, text), 0o600))
}

// args begin with what makes it stay in dir.
func (n nginx) args(more ...string) []string {
	return append([]string{"-p", n.Dir, "-c", n.Dir + "/nginx.conf", "-e", "stderr"}, more...)
}

func (n nginx) command() *proc.Command {
	return &proc.Command{
		Path: locate("nginx"), Args: n.args(), Dir: n.Dir, Logger: silent,
		Ready: proc.HTTP{URL: "http://" + n.Address + "/"}, ReadyInterval: glance,
		Stop: []proc.StopStep{{Signal: syscall.SIGQUIT, Scope: proc.Leader}},
	}
}

func (n nginx) text() (string, error) { return get("http://" + n.Address + "/") }

// workers are the children of the master.
func workers(t testing.TB, master int) []string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", master, master))
	require.NoError(t, err)
	return strings.Fields(string(b))
}

// pair waits until the master has two workers, and none of the old.
func (nginx) pair(t testing.TB, master int, old ...string) (now []string) {
	t.Helper()
	require.Eventually(t, func() bool {
		now = workers(t, master)
		return len(now) == 2 && !slices.Contains(old, now[0]) && !slices.Contains(old, now[1])
	}, patience, glance)
	return now
}

func TestNginx(t *testing.T) {
	t.Parallel()
	n := newNginx(t, place(t))
	w := start(t, tree.Child{Name: "nginx", Service: n.command(), Shutdown: patience})
	soon(t, "one", n.text)
	master := w.node("nginx").PID

	// A new configuration, by the signal.
	old := n.pair(t, master)
	n.configure(t, "two")
	require.NoError(t, proc.Reload(t.Context(), w, "root/nginx"))
	soon(t, "two", n.text)

	// A worker is its master's affair.
	old = n.pair(t, master, old...)
	worker, err := strconv.Atoi(old[0])
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(worker, syscall.SIGKILL))
	old = n.pair(t, master, old[0])
	soon(t, "two", n.text)
	require.Equal(t, master, w.node("nginx").PID)

	// The master leaves its workers behind, with the port.
	w.killed("nginx")
	require.False(t, alive(old[0]) || alive(old[1]))
	soon(t, "two", n.text)
	w.stop()
	require.Empty(t, in(n.Dir))
}

// nginx -s reload tells what is wrong with a configuration, and the old one stays.
func TestNginxReloadedByCommand(t *testing.T) {
	t.Parallel()
	n := newNginx(t, place(t))
	c := n.command()
	c.Reload = &proc.Reloading{Command: append([]string{c.Path}, n.args("-s", "reload")...)}
	w := start(t, tree.Child{Name: "nginx", Service: c, Shutdown: patience})
	n.configure(t, "two")
	require.NoError(t, proc.Reload(t.Context(), w, "root/nginx"))
	soon(t, "two", n.text)
	n.configure(t, `three"; nonsense "`)
	err := proc.Reload(t.Context(), w, "root/nginx")
	require.ErrorContains(t, err, `unknown directive "nonsense"`)
	soon(t, "two", n.text)
	require.Equal(t, 1, w.node("nginx").Incarnation)
	w.stop()
	require.Empty(t, in(n.Dir))
}

// Asked to quit, it answers the request in hand to its end.
func TestNginxQuitsInOrder(t *testing.T) {
	t.Parallel()
	n := newNginx(t, place(t))
	const size = 32 << 20
	require.NoError(t, os.WriteFile(n.Dir+"/big", make([]byte, size), 0o644))
	w := start(t, tree.Child{Name: "nginx", Service: n.command(), Shutdown: patience})
	conn, err := net.Dial("tcp", n.Address)
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Write([]byte("GET /big HTTP/1.0\r\n\r\n"))
	require.NoError(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer resp.Body.Close()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		w.stop()
	}()
	require.Eventually(t, func() bool { // it takes no more
		c, err := net.Dial("tcp", n.Address)
		if err == nil {
			c.Close()
		}
		return err != nil
	}, patience, glance)
	got, err := io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	require.EqualValues(t, size, got)
	<-stopped
	require.Empty(t, in(n.Dir))
}

// One that makes itself a daemon has ended as soon as it runs. What it has become
// does not stay; kept by a program that stays, it does.
func TestNginxAsADaemon(t *testing.T) {
	t.Parallel()
	n := newNginx(t, place(t))
	conf, err := os.ReadFile(n.Dir + "/nginx.conf")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(n.Dir+"/nginx.conf", []byte(strings.Replace(string(conf), "daemon off;", "", 1)), 0o600))

	daemon := n.command()
	daemon.Ready = nil
	w := start(t, tree.Child{Name: "nginx", Service: daemon, Restart: strategies.Temporary})
	require.NoError(t, w.await(tree.ChildEnded, 1).Err)
	require.Empty(t, in(n.Dir))
	_, err = n.text()
	require.ErrorIs(t, err, syscall.ECONNREFUSED)

	kept := n.command()
	kept.Path, kept.Args = "/bin/bash", append([]string{"-c", `"$@"; sleep 1000`, "bash", locate("nginx")}, n.args()...)
	kept.Stop = nil
	w = start(t, tree.Child{Name: "nginx", Service: kept, Shutdown: patience})
	soon(t, "one", n.text)
	pid := strings.TrimSpace(content(t, filepath.Join(n.Dir, "nginx.pid")))
	_, group, _, ok := status(pid)
	require.True(t, ok)
	require.NotEqual(t, strconv.Itoa(w.node("nginx").PID), group, "it is a daemon")
	w.killed("nginx")
	require.False(t, alive(pid))
	soon(t, "one", n.text)
	w.stop()
	require.Empty(t, in(n.Dir))
}
