package proc_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/proc"
	"github.com/coppice-go/coppice/tree"
)

// free is an address that nobody listens at.
func free(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

func TestProbes(t *testing.T) {
	address, web, dir := free(t), free(t), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "stale"), nil, 0o600))
	old := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(filepath.Join(dir, "stale"), old, old))
	for name, x := range map[string]struct {
		probe proc.Probe
		step  string // makes it ready
	}{
		"tcp":    {proc.TCP{Address: address}, "listen=tcp," + address},
		"unix":   {proc.Unix{Path: dir + "/s"}, "listen=unix," + dir + "/s"},
		"http":   {proc.HTTP{URL: "http://" + web + "/x", Status: 418}, "http=" + web},
		"file":   {proc.File{Path: "f"}, "touch=" + dir + "/f"},
		"stale":  {proc.File{Path: dir + "/stale"}, "touch=" + dir + "/stale"},
		"script": {proc.Exec{Path: "/usr/bin/test", Args: []string{"-e", "script"}}, "touch=" + dir + "/script"},
	} {
		t.Run(name, func(t *testing.T) {
			gate := filepath.Join(t.TempDir(), "gate")
			c := helper(t, "until="+gate, x.step, "wait")
			c.Dir, c.Ready, c.ReadyInterval = dir, x.probe, time.Millisecond
			w := record(t)
			started := make(chan error, 1)
			go func() {
				tr, err := w.runner().Start(context.Background(), tree.Spec{Children: []tree.Child{{Name: "p", Service: c}}})
				w.Tree = tr
				started <- err
			}()
			w.await(tree.ChildStarting, 1)
			require.Empty(t, w.have(tree.ChildStarted))
			require.NoError(t, touch(gate))
			require.NoError(t, <-started)
			w.stop()
		})
	}
}

// A probe that is never satisfied: the process is stopped in order, and its start
// has failed.
func TestNotReadyByProbe(t *testing.T) {
	for name, probe := range map[string]proc.Probe{
		"TCP":     proc.TCP{Address: free(t)},
		"LogLine": proc.LogLine("never"),
		"Exec":    proc.Exec{Path: "/bin/sh", Args: []string{"-c", "echo no such luck >&2; exit 3"}},
	} {
		c := helper(t, "catch=15,bye,7", "out=up", "wait")
		c.Ready, c.ReadyTimeout, c.ReadyInterval = probe, 300*time.Millisecond, time.Millisecond
		err := notStartedOnce(t, c)
		require.ErrorIs(t, err, proc.ErrNotReady)
		require.ErrorContains(t, err, name)
		var p *proc.ProbeError
		require.ErrorAs(t, err, &p)
		switch name {
		case "TCP":
			require.ErrorIs(t, err, syscall.ECONNREFUSED)
		case "Exec":
			require.ErrorContains(t, err, "no such luck")
		}
		if p.Exit != nil { // it may have been too slow to catch the signal
			require.True(t, p.Exit.Code == 7 || p.Exit.Signal == syscall.SIGTERM, "%v", p.Exit)
		}
	}
}

func notStartedOnce(t *testing.T, c *proc.Command) error {
	t.Helper()
	_, err := tryStart(t, tree.Spec{Children: []tree.Child{{Name: "p", Service: c}}})
	require.ErrorIs(t, err, tree.ErrStartFailed)
	return err
}

// The probe ends with the process, whatever it is doing.
func TestProbeEndsWithTheProcess(t *testing.T) {
	c := helper(t, "exit=4")
	c.Ready = proc.Exec{Path: "/bin/sh", Args: []string{"-c", "sleep 1000 & setsid sleep 1000"}}
	e := serve(t, c).exited()
	require.Equal(t, 4, e.Code)
	require.True(t, e.BeforeReady)
}

// What a server may want of a client.
func TestHTTPProbe(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		switch r.URL.Path {
		case "/user":
			if user != "me" || password != "hunter2" {
				w.WriteHeader(http.StatusUnauthorized)
			}
		case "/token":
			if r.Header.Get("Authorization") != "Bearer x" {
				w.WriteHeader(http.StatusUnauthorized)
			}
		case "/host":
			if r.Host != "example.com" {
				w.WriteHeader(http.StatusMisdirectedRequest)
			}
		case "/stream":
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}
	}))
	defer server.Close()
	me := strings.Replace(server.URL, "//", "//me:hunter2@", 1)
	for name, probe := range map[string]proc.HTTP{
		"user":         {URL: me + "/user"},
		"token":        {URL: me + "/token", Header: http.Header{"authorization": {"Bearer x"}}},
		"another host": {URL: server.URL + "/host", Header: http.Header{"host": {"example.com"}}},
		"no end":       {URL: server.URL + "/stream"},
	} {
		t.Run(name, func(t *testing.T) {
			c := helper(t, "wait")
			c.Ready, c.ReadyInterval = probe, time.Hour // one try is enough
			c.Alive = &proc.Liveness{Probe: probe, Interval: time.Hour}
			w := start(t, tree.Child{Name: "p", Service: c, StartTimeout: patience})
			w.stop()
		})
	}
}

// A password is in no error.
func TestHTTPProbeDoesNotTellSecrets(t *testing.T) {
	c := helper(t, "wait")
	c.Ready, c.ReadyTimeout = proc.HTTP{URL: "http://me:hunter2@" + free(t)}, glance
	err := notStartedOnce(t, c)
	require.ErrorContains(t, err, "HTTP http://me:xxxxx@")
	require.NotContains(t, err.Error(), "hunter2")
	for _, url := range []string{"ftp://me:hunter2@x", "http://me:hunter2/@x", "http://me:hunter2@%zz", "http://me:hunter2@[", "http://me:hunter2@x\x01"} {
		probe := proc.HTTP{URL: url}
		err := (&proc.Command{Path: "x", Ready: probe}).Validate()
		require.ErrorContains(t, err, "Ready: HTTP: URL: ")
		require.NotContains(t, err.Error()+probe.String(), "hunter2")
	}
}

// The hung process: it lives, and does not answer.
func TestLiveness(t *testing.T) {
	var bad atomic.Bool
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		if bad.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	c := helper(t, "wait")
	c.Alive = &proc.Liveness{Probe: proc.HTTP{URL: server.URL}, Interval: time.Millisecond, Timeout: patience, Failures: 2}
	w := start(t, tree.Child{Name: "p", Service: c})
	require.Eventually(t, func() bool { return asked.Load() > 5 }, patience, glance)
	require.Empty(t, w.have(tree.ChildEnded))
	bad.Store(true)
	end := w.await(tree.ChildEnded, 1)
	bad.Store(false)
	require.ErrorIs(t, end.Err, proc.ErrNotAlive)
	require.ErrorContains(t, end.Err, "503")
	var e *proc.ExitError
	require.ErrorAs(t, end.Err, &e)
	require.Equal(t, syscall.SIGTERM, e.Signal)
	w.await(tree.ChildStarted, 2)
	w.stop()
}

// One that answers in time now and then is alive.
func TestLivenessCountsInARow(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1)%3 != 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	c := helper(t, "wait")
	c.Alive = &proc.Liveness{Probe: proc.HTTP{URL: server.URL}, Interval: time.Millisecond, Timeout: patience}
	w := start(t, tree.Child{Name: "p", Service: c})
	require.Eventually(t, func() bool { return asked.Load() > 30 }, patience, glance)
	require.Empty(t, w.have(tree.ChildEnded))
	w.stop()
}

// An answer that takes too long is none, and the stop does not wait for it.
func TestLivenessTimeout(t *testing.T) {
	c := helper(t, "wait")
	c.Alive = &proc.Liveness{
		Probe: proc.Exec{Path: "/bin/sleep", Args: []string{"1000"}}, Interval: time.Millisecond, Timeout: time.Millisecond, Failures: 1,
	}
	err := serve(t, c).end()
	require.ErrorIs(t, err, proc.ErrNotAlive)
	require.ErrorIs(t, err, context.DeadlineExceeded)

	c.Alive.Timeout = time.Hour
	w := start(t, tree.Child{Name: "p", Service: c})
	w.stop()
}

func TestProbesThatAreNonsense(t *testing.T) {
	line := proc.LogLine("x")
	for want, change := range map[string]func(*proc.Command){
		"Ready: TCP: Address":           func(c *proc.Command) { c.Ready = proc.TCP{Address: "nowhere"} },
		"no host":                       func(c *proc.Command) { c.Ready = proc.TCP{Address: ":80"} },
		"unknown port":                  func(c *proc.Command) { c.Ready = proc.TCP{Address: "x:no-such-port"} },
		"no port":                       func(c *proc.Command) { c.Ready = proc.TCP{Address: "x:0"} },
		"no port: \"x:\"":               func(c *proc.Command) { c.Ready = proc.TCP{Address: "x:"} },
		"Ready: Unix: Path":             func(c *proc.Command) { c.Ready = proc.Unix{} },
		"Ready: Unix: Path: empty, or":  func(c *proc.Command) { c.Ready = proc.Unix{Path: "a\x00b"} },
		"Ready: Unix: Path: more than":  func(c *proc.Command) { c.Ready = proc.Unix{Path: strings.Repeat("x", 108)} },
		"Ready: nil *proc.TCP":          func(c *proc.Command) { c.Ready = (*proc.TCP)(nil) },
		"Ready: nil *proc.File":         func(c *proc.Command) { c.Ready = (*proc.File)(nil) },
		"Ready: nil struct":             func(c *proc.Command) { c.Ready = struct{ *proc.HTTP }{} },
		"Ready: no probe":               func(c *proc.Command) { c.Ready = struct{ proc.Probe }{} },
		"Ready: HTTP: Header":           func(c *proc.Command) { c.Ready = proc.HTTP{URL: "http://x", Header: http.Header{"a b": {"x"}}} },
		"Ready: HTTP: URL":              func(c *proc.Command) { c.Ready = proc.HTTP{URL: "ftp://x"} },
		"Ready: HTTP: Status":           func(c *proc.Command) { c.Ready = proc.HTTP{URL: "http://x", Status: 7} },
		"Ready: File: Path":             func(c *proc.Command) { c.Ready = proc.File{} },
		"Ready: Exec: Path":             func(c *proc.Command) { c.Ready = proc.Exec{} },
		"ReadyInterval":                 func(c *proc.Command) { c.ReadyInterval = -1 },
		"ReadyTimeout":                  func(c *proc.Command) { c.ReadyTimeout = -1 },
		"Alive: Probe: nil":             func(c *proc.Command) { c.Alive = &proc.Liveness{} },
		"Alive: Probe: LogLine x tells": func(c *proc.Command) { c.Alive = &proc.Liveness{Probe: line} },
		"Alive: Probe: File x tells":    func(c *proc.Command) { c.Alive = &proc.Liveness{Probe: proc.File{Path: "x"}} },
		"Alive: Probe: File y tells":    func(c *proc.Command) { c.Alive = &proc.Liveness{Probe: &proc.File{Path: "y"}} },
		"Alive: nil *proc.Unix":         func(c *proc.Command) { c.Alive = &proc.Liveness{Probe: (*proc.Unix)(nil)} },
		"Alive: Interval":               func(c *proc.Command) { c.Alive = &proc.Liveness{Probe: line, Interval: -1} },
		"Alive: Timeout":                func(c *proc.Command) { c.Alive = &proc.Liveness{Probe: line, Timeout: -1} },
		"Alive: Failures":               func(c *proc.Command) { c.Alive = &proc.Liveness{Probe: line, Failures: -1} },
	} {
		c := &proc.Command{Path: "/bin/true"}
		change(c)
		require.ErrorContains(t, c.Validate(), want)
	}
}

func TestProbeErrorsAreTheirCauses(t *testing.T) {
	e := &proc.ProbeError{Path: "/bin/x", Reason: proc.ErrNotAlive, Probe: "File y", Last: fs.ErrNotExist, Exit: &proc.ExitError{Path: "x", ExitStatus: actor.ExitStatus{Code: 3}}}
	require.Equal(t, "/bin/x: not alive: File y: file does not exist", e.Error())
	for _, err := range []error{proc.ErrNotAlive, fs.ErrNotExist} {
		require.ErrorIs(t, fmt.Errorf("more: %w", e), err)
	}
	var exit *proc.ExitError
	require.True(t, errors.As(e, &exit))
	require.Equal(t, 3, exit.Code)
}
