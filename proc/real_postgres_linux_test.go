package proc_test

import (
	"errors"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/proc"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

// postgres is a database, which refuses to be run by root.
type postgres struct{ Dir, Data, User string }

// newPostgres makes one, as its user.
func newPostgres(t testing.TB, dir string) postgres {
	initdb := need(t, "initdb", "postgresql")
	p := postgres{Dir: dir, Data: filepath.Join(dir, "data")}
	if os.Geteuid() == 0 {
		p.User = "postgres"
		u, err := user.Lookup(p.User)
		require.NoError(t, err)
		uid, err := strconv.Atoi(u.Uid)
		require.NoError(t, err)
		require.NoError(t, os.Mkdir(p.Data, 0o700))
		require.NoError(t, os.Chown(p.Data, uid, -1))
	}
	args := []string{"-D", p.Data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "-N"}
	require.NoError(t, (&proc.Command{Path: initdb, Args: args, User: p.User, Dir: dir, Logger: silent}).Serve(t.Context()))
	return p
}

func (p postgres) command() *proc.Command {
	return &proc.Command{
		Path: locate("postgres"), Args: []string{"-D", p.Data, "-k", p.Data, "-c", "listen_addresses="}, Dir: p.Data, User: p.User, Logger: silent,
		Ready: proc.Exec{Path: locate("pg_isready"), Args: []string{"-q", "-h", p.Data}}, ReadyInterval: glance,
		Stop: []proc.StopStep{{Signal: syscall.SIGINT, Scope: proc.Leader}},
	}
}

func (p postgres) args(sql string) []string {
	return []string{"-h", p.Data, "-U", "postgres", "-XAtqc", sql}
}

func (p postgres) ask(sql string) (string, error) { return output(locate("psql"), p.args(sql)...) }

func (p postgres) says(t testing.TB, want, sql string) {
	t.Helper()
	soon(t, want, func() (string, error) { return p.ask(sql) })
}

// busy is a client that is at work when it returns.
func (p postgres) busy(t testing.TB) *exec.Cmd {
	t.Helper()
	client := exec.Command(locate("psql"), p.args("select pg_sleep(1000)")...)
	require.NoError(t, client.Start())
	p.says(t, "1", "select count(*) from pg_stat_activity where query = 'select pg_sleep(1000)'")
	return client
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	p := newPostgres(t, place(t))
	j := &journal{}
	c := p.command()
	c.Logger = j.logger()
	w := start(t, tree.Child{Name: "pg", Service: c, Shutdown: patience})
	_, err := p.ask("create table t (n int); insert into t values (7)")
	require.NoError(t, err)

	// SIGHUP has it read its configuration again.
	conf, err := os.OpenFile(p.Data+"/postgresql.conf", os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = conf.WriteString("\nwork_mem = '7MB'\n")
	require.NoError(t, errors.Join(err, conf.Close()))
	require.NoError(t, proc.Reload(t.Context(), w, "root/pg"))
	p.says(t, "7MB", "show work_mem")

	// All of its processes lead sessions of their own.
	postmaster := w.node("pg").PID
	for _, pid := range workers(t, postmaster) {
		_, group, _, ok := status(pid)
		require.True(t, ok)
		require.Equal(t, pid, group)
	}
	u, err := proc.Sample(t.Context(), w, "root/pg")
	require.NoError(t, err)
	require.Greater(t, u.Processes, 4)

	// A backend that crashes is the postmaster's affair.
	busy := p.busy(t)
	backend, err := p.ask("select pid from pg_stat_activity where query = 'select pg_sleep(1000)'")
	require.NoError(t, err)
	pid, err := strconv.Atoi(backend)
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	require.Error(t, busy.Wait())
	j.await(t, "all server processes terminated; reinitializing")
	p.says(t, "7", "select n from t")
	require.Equal(t, postmaster, w.node("pg").PID)

	// The postmaster is killed, with a client at work: its pid file, its socket and
	// its shared memory stay, and nobody that uses them does.
	old := workers(t, postmaster)
	busy = p.busy(t)
	w.killed("pg")
	require.Error(t, busy.Wait())
	for _, pid := range old {
		require.False(t, alive(pid))
	}
	p.says(t, "7", "select n from t")
	j.await(t, "automatic recovery in progress")
	w.stop()
	require.Empty(t, in(p.Dir))
	j.await(t, "database system is shut down")
	_, err = os.Stat(p.Data + "/postmaster.pid")
	require.ErrorIs(t, err, os.ErrNotExist)
}

// Smart, fast and immediate are three signals to the postmaster, and what each
// does is known from the log.
func TestPostgresShutdowns(t *testing.T) {
	t.Parallel()
	p := newPostgres(t, place(t))
	smart := proc.StopStep{Scope: proc.Leader, Wait: 200 * time.Millisecond}
	fast := proc.StopStep{Signal: syscall.SIGINT, Scope: proc.Leader}
	immediate := proc.StopStep{Signal: syscall.SIGQUIT, Scope: proc.Leader}
	for name, x := range map[string]struct {
		stop   []proc.StopStep
		client bool // is connected, and stays
		says   []string
	}{
		"smart":     {[]proc.StopStep{{Scope: proc.Leader}}, false, []string{"received smart shutdown request", "database system is shut down"}},
		"fast":      {[]proc.StopStep{smart, fast}, true, []string{"received smart shutdown request", "received fast shutdown request", "database system is shut down"}},
		"immediate": {[]proc.StopStep{immediate}, true, []string{"received immediate shutdown request", "database system is shut down"}},
	} {
		j := &journal{}
		c := p.command()
		c.Logger, c.Stop = j.logger(), x.stop
		w := start(t, tree.Child{Name: "pg", Service: c, Shutdown: patience})
		var client *exec.Cmd
		if x.client {
			client = p.busy(t)
		}
		w.stop()
		if x.client {
			require.Error(t, client.Wait())
		}
		for _, line := range x.says {
			j.await(t, line)
		}
		require.Empty(t, in(p.Dir), name)
	}
}

// A second one of the same data refuses to start, and says why; the first one
// does not notice.
func TestPostgresTwiceOnTheSameData(t *testing.T) {
	t.Parallel()
	p := newPostgres(t, place(t))
	w := start(t, tree.Child{Name: "pg", Service: p.command(), Shutdown: patience})
	second := p.command()
	second.Ready = proc.LogLine("ready to accept connections")
	_, err := tryStart(t, tree.Spec{Children: []tree.Child{{Name: "pg", Service: second, Restart: strategies.Temporary}}})
	var e *proc.ExitError
	require.ErrorAs(t, err, &e)
	require.True(t, e.BeforeReady)
	require.ErrorContains(t, e, "Is another postmaster")
	p.says(t, "1", "select 1")
	w.stop()
	require.Empty(t, in(p.Dir))
}
