package proc_test

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/proc"
	"github.com/coppice-go/coppice/tree"
)

// redis is a store that loses nothing that it has confirmed.
type redis struct{ Dir, Address, Socket string }

func newRedis(t testing.TB, dir string) redis {
	need(t, "redis-server", "redis-server")
	r := redis{dir, address(t), filepath.Join(dir, "redis.sock")}
	return r
}

func (r redis) command(more ...string) *proc.Command {
	host, port, _ := strings.Cut(r.Address, ":")
	return &proc.Command{
		Path: locate("redis-server"), Dir: r.Dir, Logger: silent,
		Args: append([]string{
			"--bind", host, "--port", port, "--protected-mode", "no", "--unixsocket", r.Socket, "--dir", r.Dir, "--pidfile", r.Dir + "/redis.pid",
			"--appendonly", "yes", "--appendfsync", "always", "--save", "",
		}, more...),
		Ready: proc.Exec{Path: locate("redis-cli"), Args: []string{"-s", r.Socket, "ping"}}, ReadyInterval: glance,
	}
}

// ask sends a command over TCP, and returns the first line of the answer.
func (r redis) ask(command string) (string, error) {
	conn, err := net.Dial("tcp", r.Address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if _, err = fmt.Fprintf(conn, "%s\r\n", command); err != nil {
		return "", err
	}
	answer := bufio.NewReader(conn)
	line, err := answer.ReadString('\n')
	if err == nil && strings.HasPrefix(line, "$") { // a string behind its length
		line, err = answer.ReadString('\n')
	}
	return strings.TrimSpace(line), err
}

func (r redis) has(t testing.TB, key, value string) {
	t.Helper()
	soon(t, value, func() (string, error) { return r.ask("GET " + key) })
}

func TestRedis(t *testing.T) {
	t.Parallel()
	r := newRedis(t, place(t))
	for name, probe := range map[string]proc.Probe{
		"exec": nil, "TCP": proc.TCP{Address: r.Address}, "Unix": proc.Unix{Path: r.Socket},
		"line": proc.LogLine("Ready to accept connections"), "file": proc.File{Path: "redis.pid"},
	} {
		c := r.command()
		if probe != nil {
			c.Ready = probe
		}
		c.Reload = &proc.Reloading{Command: []string{locate("redis-cli"), "-s", r.Socket, "CONFIG", "SET", "maxclients", "77"}}
		w := start(t, tree.Child{Name: "redis", Service: c, Shutdown: patience})
		soon(t, "+OK", func() (string, error) { return r.ask("SET " + name + " before") })
		require.NoError(t, proc.Reload(t.Context(), w, "root/redis"))
		got, err := output(locate("redis-cli"), "-s", r.Socket, "CONFIG", "GET", "maxclients")
		require.NoError(t, err)
		require.Equal(t, "maxclients\n77", got)
		w.killed("redis")
		r.has(t, name, "before")
		require.NoError(t, proc.Signal(t.Context(), w, "root/redis", 0, proc.Leader))
		w.stop()
		require.Empty(t, in(r.Dir))
		_, err = os.Stat(r.Dir + "/redis.pid")
		require.ErrorIs(t, err, os.ErrNotExist, "it ended in order")
	}
}

// It crashes, and says so in a hundred lines: the end is told with the last.
func TestRedisCrashes(t *testing.T) {
	t.Parallel()
	r := newRedis(t, place(t))
	w := start(t, tree.Child{Name: "redis", Service: with(r.command(), func(c *proc.Command) { c.TailLines = 1000 }), Policy: slow})
	require.NoError(t, proc.Signal(t.Context(), w, "root/redis", syscall.SIGSEGV, proc.Leader))
	var e *proc.ExitError
	require.ErrorAs(t, w.await(tree.ChildEnded, 1).Err, &e)
	require.Equal(t, syscall.SIGSEGV, e.Signal)
	require.Contains(t, strings.Join(e.LastLines, "\n"), "REDIS BUG REPORT START")
	w.stop()
}

// It forks to save, is killed meanwhile, and what saves goes with it.
func TestRedisIsKilledWhileItSaves(t *testing.T) {
	t.Parallel()
	r := newRedis(t, place(t))
	slow := r.command("--rdb-key-save-delay", "1000000000") // so slow that it does not look at signals
	slow.Grace = short
	w := start(t, tree.Child{Name: "redis", Service: slow})
	for _, command := range []string{"SET a 1", "SET b 2"} {
		soon(t, "+OK", func() (string, error) { return r.ask(command) })
	}
	soon(t, "+Background saving started", func() (string, error) { return r.ask("BGSAVE") })
	saver := workers(t, w.node("redis").PID)
	require.NotEmpty(t, saver)
	w.killed("redis")
	require.False(t, alive(saver[0]))
	r.has(t, "a", "1")

	// A stop by its own command.
	pid := strconv.Itoa(w.node("redis").PID)
	w.stop()
	require.False(t, alive(pid))
	c := with(r.command(), func(c *proc.Command) {
		c.Stop = []proc.StopStep{{Command: []string{locate("redis-cli"), "-s", r.Socket, "SHUTDOWN"}}}
	})
	w = start(t, tree.Child{Name: "redis", Service: c, Shutdown: patience})
	r.has(t, "b", "2")
	w.stop()
	require.Empty(t, in(r.Dir))
}
