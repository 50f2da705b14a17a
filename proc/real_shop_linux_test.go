package proc_test

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
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

var (
	hurts     = flag.Int("hurts", 8, "how often the shop is hurt")
	realKills = flag.Int("realkills", 12, "how often the program above the shop is killed")
)

// shop is real programs that need each other.
type shop struct {
	Dir, Page string // Page: where python listens
	DB        postgres
	Cache     redis
	Web       nginx
}

func newShop(t testing.TB) *shop {
	dir := place(t)
	need(t, "python3", "python3")
	for _, name := range []string{"db", "cache", "web"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o755))
	}
	s := &shop{
		Dir: dir, Page: address(t),
		DB: newPostgres(t, filepath.Join(dir, "db")), Cache: newRedis(t, filepath.Join(dir, "cache")), Web: newNginx(t, filepath.Join(dir, "web")),
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "page"), []byte("hello"), 0o600))
	return s
}

func (s *shop) spec() tree.Spec {
	const cron = `(setsid sleep 1000 <&- >&- 2>&- &); echo up; trap 'exit 0' TERM; while :; do sleep 1000 & wait $!; done`
	python := &proc.Command{
		Path: locate("python3"), Args: []string{"-c", pageServer, s.Page}, Dir: s.Dir, Logger: silent, Ready: proc.HTTP{URL: "http://" + s.Page + "/page"}, ReadyInterval: glance,
	}
	cronjob := &proc.Command{Path: "/bin/bash", Args: []string{"-c", cron}, Dir: s.Dir, Logger: silent, Ready: proc.LogLine("^up$")}
	child := func(name string, c *proc.Command) tree.Child {
		return tree.Child{Name: name, Service: c, Shutdown: patience}
	}
	return tree.Spec{Strategy: strategies.RestForOne, Intensity: unlimited, Children: []tree.Child{
		child("db", s.DB.command()), child("cache", s.Cache.command()), child("page", python), child("cron", cronjob), child("web", s.Web.command()),
	}}
}

// pageServer is python3 -m http.server that shares its port with nobody's rest.
const pageServer = `
import http.server, sys
host, port = sys.argv[1].split(":")
http.server.ThreadingHTTPServer((host, int(port)), http.server.SimpleHTTPRequestHandler).serve_forever()
`

// serves waits until everything does.
func (s *shop) serves(t testing.TB) {
	t.Helper()
	s.DB.says(t, "1", "select 1")
	soon(t, "+PONG", func() (string, error) { return s.Cache.ask("PING") })
	soon(t, "hello", func() (string, error) { return get("http://" + s.Page + "/page") })
	soon(t, "one", s.Web.text)
}

var names = []string{"db", "cache", "page", "cron", "web"}

// Hurt in random ways, each heals with what comes after it, and the end is clean.
func TestShopIsHurt(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	w, err := tryStart(t, s.spec())
	require.NoError(t, err)
	s.serves(t)
	for range *hurts {
		i := rand.N(len(names))
		n := w.node(names[i])
		switch rand.N(4) {
		case 0: // with all that descends from it
			require.NoError(t, proc.Signal(t.Context(), w, "root/"+n.Name, syscall.SIGKILL, proc.All))
			w.back(names[i], n.Incarnation)
		case 1: // one of its processes, which may mean nothing to it, or all
			if below := workers(t, n.PID); len(below) > 0 {
				pid, err := strconv.Atoi(below[rand.N(len(below))])
				require.NoError(t, err)
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		case 2: // while it is stopped
			require.NoError(t, proc.Signal(t.Context(), w, "root/"+n.Name, syscall.SIGSTOP, proc.Group))
			w.killed(names[i])
		default:
			w.killed(names[i])
			for _, later := range names[i+1:] {
				require.Eventually(t, func() bool { return w.node(later).State == tree.Running }, patience, glance)
			}
		}
		s.serves(t)
	}
	w.stop()
	require.Empty(t, in(s.Dir))
	var stopped []string
	for _, e := range w.have(tree.ChildEnded)[len(w.have(tree.ChildEnded))-len(names):] {
		stopped = append(stopped, filepath.Base(e.Path))
	}
	require.Equal(t, []string{"web", "cron", "page", "cache", "db"}, stopped, "last one first")
}

func init() { more["shop"] = playShop }

// playShop runs the shop until the program is killed.
func playShop(text string) {
	var s shop
	check(json.Unmarshal([]byte(text), &s))
	t, err := tree.Start(context.Background(), s.spec())
	check(err)
	fmt.Println("shop up")
	check(t.Wait(context.Background()))
}

// A program that is killed at any moment leaves nothing of a shop behind, and the
// next one finds what the database had confirmed.
func TestNoShopOutlivesTheProgram(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	text, err := json.Marshal(s)
	require.NoError(t, err)
	usual := time.Duration(0) // until all are up
	written := 0
	for i := range *realKills {
		c := helper(t, "shop="+string(text))
		program := exec.Command(c.Path, c.Args...)
		program.Env = append(append(os.Environ(), c.Env...), "COPPICE_CGROUPS="+[]string{"on", "off"}[i%2])
		out, err := program.StdoutPipe()
		require.NoError(t, err)
		began := time.Now()
		require.NoError(t, program.Start())
		t.Cleanup(func() { _ = program.Process.Kill() })
		if i%4 == 0 {
			line, err := bufio.NewReader(out).ReadString('\n')
			require.NoError(t, err)
			require.Equal(t, "shop up\n", line)
			usual = time.Since(began)
			s.serves(t)
			if written > 0 {
				s.DB.says(t, strconv.Itoa(written), "select count(*) from t")
			}
			_, err = s.DB.ask([]string{"create table t as select 1", "insert into t values (1)"}[min(written, 1)])
			require.NoError(t, err)
			written++
		} else {
			time.Sleep(rand.N(usual * 3 / 2))
		}
		require.NoError(t, program.Process.Kill())
		require.Error(t, program.Wait())
		require.Eventually(t, func() bool { return len(in(s.Dir)) == 0 }, patience, glance)
	}
}
