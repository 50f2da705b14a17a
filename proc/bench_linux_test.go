package proc_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/proc"
	"github.com/coppice-go/coppice/tree"
)

// BenchmarkRestart kills a process of a tree and waits until it is running again,
// in turns with the same in a loop of os/exec, which takes the output, too.
// "x-restart" is how many such restarts it takes, "x-start" how many bare starts,
// by the medians.
func BenchmarkRestart(b *testing.B) {
	for _, p := range restarted() {
		for _, off := range [][]string{nil, {"COPPICE_CGROUPS"}, {"COPPICE_CGROUPS", "COPPICE_GUARDIAN"}} {
			b.Run(p.name+"/without="+strings.Join(off, "+"), func(b *testing.B) {
				for _, what := range off {
					b.Setenv(what, "off")
				}
				benchmarkRestart(b, p)
			})
		}
	}
}

// lasting is a program that runs until it is killed. It is running when it is
// started, or, with says, when it has written "up".
type lasting struct {
	name string
	argv []string
	env  []string
	says bool
}

func restarted() []lasting {
	return []lasting{
		{name: "sleep", argv: []string{"/bin/sleep", "1000"}},
		{name: "shell", argv: []string{"/bin/sh", "-c", "echo up; exec sleep 1000"}, says: true},
		{name: "go", argv: []string{os.Args[0], "out=up", "wait"}, env: []string{helperEnv + "=1", "GORACE=atexit_sleep_ms=0"}, says: true},
	}
}

func benchmarkRestart(b *testing.B, p lasting) {
	bare, kept := newBareLoop(b, p), newKeptLoop(b, p)
	var starts, restarts, keptRestarts []time.Duration
	for b.Loop() {
		idle(b, bare.pid(), kept.pid)
		start, restart := bare.restart()
		starts, restarts = append(starts, start), append(restarts, restart)
		idle(b, bare.pid(), kept.pid)
		keptRestarts = append(keptRestarts, kept.restart())
	}
	bare.stop()
	kept.stop()
	b.ReportMetric(0, "ns/op")
	report := func(name string, d []time.Duration) float64 {
		slices.Sort(d)
		p50 := float64(d[len(d)/2]) / 1e3
		b.ReportMetric(p50, name+"-µs")
		b.ReportMetric(float64(d[len(d)*9/10])/1e3, name+"-p90-µs")
		return p50
	}
	start, restart, keptRestart := report("bare-start", starts), report("bare-restart", restarts), report("restart", keptRestarts)
	b.ReportMetric(keptRestart/start, "x-start")
	b.ReportMetric(keptRestart/restart, "x-restart")
}

// idle waits until the processes sleep, so that none takes part in what is
// measured.
func idle(b *testing.B, pids ...int) {
	for _, pid := range pids {
		require.Eventually(b, func() bool {
			text, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
			return bytes.Contains(text, []byte(") S "))
		}, patience, time.Millisecond)
	}
}

// bareLoop keeps a program running as a few lines of os/exec do.
type bareLoop struct {
	lasting
	b   *testing.B
	cmd *exec.Cmd
	up  chan struct{}
}

func newBareLoop(b *testing.B, p lasting) *bareLoop {
	l := &bareLoop{lasting: p, b: b, up: make(chan struct{}, 1)}
	l.start()
	return l
}

func (l *bareLoop) pid() int { return l.cmd.Process.Pid }

func (l *bareLoop) start() {
	l.cmd = exec.Command(l.argv[0], l.argv[1:]...)
	l.cmd.Env = append(os.Environ(), l.env...)
	l.cmd.Stdout = writerFunc(func(b []byte) (int, error) {
		if bytes.Contains(b, []byte("up\n")) {
			l.up <- struct{}{}
		}
		return len(b), nil
	})
	l.cmd.Stderr = writerFunc(func(b []byte) (int, error) { return len(b), nil })
	require.NoError(l.b, l.cmd.Start())
	if l.says {
		<-l.up
	}
}

func (l *bareLoop) restart() (start, restart time.Duration) {
	killed := time.Now()
	l.stop()
	ended := time.Now()
	l.start()
	return time.Since(ended), time.Since(killed)
}

func (l *bareLoop) stop() {
	require.NoError(l.b, l.cmd.Process.Kill())
	require.Error(l.b, l.cmd.Wait())
}

// keptLoop keeps it running as the child of a tree.
type keptLoop struct {
	b    *testing.B
	tree *tree.Tree
	pid  int
	up   chan struct{}
}

func newKeptLoop(b *testing.B, p lasting) *keptLoop {
	l := &keptLoop{b: b, up: make(chan struct{}, 1)}
	c := &proc.Command{Path: p.argv[0], Args: p.argv[1:], Env: p.env, Logger: silent}
	if p.says {
		c.Ready = proc.LogLine("^up$")
	}
	r := tree.Runner{Logger: silent, OnEvent: func(e tree.Event) {
		if e.Kind == tree.ChildStarted {
			l.up <- struct{}{}
		}
	}}
	var err error
	l.tree, err = r.Start(context.Background(), tree.Spec{Intensity: unlimited, Children: []tree.Child{{Name: "p", Service: c}}})
	require.NoError(b, err)
	<-l.up
	l.look()
	return l
}

// look finds out the pid, which no other process has had.
func (l *keptLoop) look() {
	before := l.pid
	n, err := l.tree.Find(context.Background(), "root/p")
	require.NoError(l.b, err)
	l.pid = n.PID
	require.NotEqual(l.b, before, l.pid)
}

func (l *keptLoop) restart() time.Duration {
	killed := time.Now()
	require.NoError(l.b, syscall.Kill(l.pid, syscall.SIGKILL))
	<-l.up
	took := time.Since(killed)
	l.look()
	return took
}

func (l *keptLoop) stop() {
	_, err := l.tree.Stop(context.Background())
	require.NoError(l.b, err)
}
