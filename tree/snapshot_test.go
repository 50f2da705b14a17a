package tree_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	proto "github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

// process stands for one: it says what a process says of itself.
type process struct{ *part }

func (process) Kind() string { return "process" }

// town is a tree in which something of everything has happened.
func town(t *testing.T) *world {
	t.Helper()
	failing, late, down := newPart(), newPart(), newPart()
	proc := process{onStart(func(ctx context.Context, n int) error {
		actor.SetStatus(ctx, actor.Status{PID: 4200 + n, Exit: &actor.ExitStatus{Code: 7}, Text: "serving"})
		return nil
	})}
	w := start(t, tree.Spec{Intensity: strategies.Intensity{Max: 3, Within: time.Hour}, Strategy: strategies.RestForOne, Children: []tree.Child{
		{Name: "actor", Service: actor.Props(proto.PropsFromFunc(func(proto.Context) {}))},
		{Name: "sub", Service: tree.Spec{Intensity: unlimited, Children: []tree.Child{
			{Name: "failing", Service: failing},
			{Name: "late", Service: late, Policy: strategies.Policy{Delay: time.Hour}},
			{Name: "down", Service: down, Restart: strategies.Transient},
		}}},
		{Name: "proc", Service: proc},
		{Name: "empty", Service: tree.Spec{Template: &tree.Template{Child: tree.Child{Service: newPart()}}}},
	}})
	sleep(90 * time.Second)
	failing.end(errBoom)
	failing.end(errors.New("two\nlines \x1b[31m"))
	late.end(errBoom)
	down.end(nil)
	proc.end(errBoom)
	sleep(1500 * time.Millisecond)
	return w
}

func TestPrint(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := town(t)
		n := w.node("root")
		require.Equal(t, strings.TrimPrefix(`
root           running     rest-for-one  1/3 in 1h0m0s  #1  up 1m32s
├─ actor       running     actor  #1  up 1m32s
├─ sub         running     one-for-one  #1  up 1m32s
│  ├─ failing  running     goroutine  #3  up 1.5s  restarts 2  last: two …
│  ├─ late     restarting  goroutine  #1  last: boom
│  └─ down     down        goroutine  #1
├─ proc        running     process  #2  pid 4202  up 1.5s  restarts 1  "serving"  last: boom
└─ empty       running     one-for-one  0/1 in 5s  #2  up 1.5s  restarts 1
`, "\n"), n.String())

		var b bytes.Buffer
		require.NoError(t, n.Print(&b, tree.Style{Color: true, Width: 30}))
		lines := strings.Split(b.String(), "\n")
		require.Equal(t, "├─ actor       \x1b[32mrunning\x1b[0m     ac…", lines[1])
		require.Equal(t, "│  ├─ late     \x1b[33mrestarting\x1b[0m  go…", lines[4])
		require.Equal(t, "│  └─ down     \x1b[2mdown\x1b[0m        go…", lines[5])
		colors := regexp.MustCompile(`\x1b\[\d+m`)
		for width := -1; width < 60; width++ {
			var plain, colored bytes.Buffer
			require.NoError(t, n.Print(&plain, tree.Style{Width: width}))
			require.NoError(t, n.Print(&colored, tree.Style{Color: true, Width: width}))
			require.True(t, utf8.Valid(colored.Bytes()), "%d: %q", width, colored.String())
			require.Equal(t, plain.String(), colors.ReplaceAllString(colored.String(), ""), width)
		}
		require.ErrorIs(t, n.Print(failingWriter{}, tree.Style{}), errBoom)
	})
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errBoom }

func TestSnapshotJSON(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := town(t)
		text, err := json.MarshalIndent(w.node("root"), "", " ")
		require.NoError(t, err)
		var got map[string]any
		require.NoError(t, json.Unmarshal(text, &got))
		require.Equal(t, []string{"actor", "sub", "proc", "empty"}, names(got))
		require.Equal(t, map[string]any{"strategy": "rest-for-one", "max_restarts": 3.0, "within_seconds": 3600.0, "used": 1.0, "busy": false}, got["supervisor"])

		of := func(path string) string {
			text, err := json.Marshal(w.node(path))
			require.NoError(t, err)
			return string(text)
		}
		require.JSONEq(t, `{"name":"proc","path":"root/proc","type":"process","state":"running","running":true,"pid":4202,
			"incarnation":2,"restarts":1,"last_start":"2000-01-01T00:01:30Z","uptime_seconds":1.5,"exit_code":7,"exit":{"code":7,"user_ns":0,"sys_ns":0,"max_rss_bytes":0,"ran_ns":0},"status":"serving","last_error":"boom"}`, of("root/proc"))
		require.JSONEq(t, `{"name":"down","path":"root/sub/down","type":"goroutine","state":"down","running":false,
			"incarnation":1,"restarts":0,"last_start":"2000-01-01T00:00:00Z","uptime_seconds":0}`, of("root/sub/down"))
		require.JSONEq(t, `{"name":"empty","path":"root/empty","type":"supervisor","state":"running","running":true,"incarnation":2,"restarts":1,
			"last_start":"2000-01-01T00:01:30Z","uptime_seconds":1.5,"children":[],
			"supervisor":{"strategy":"one-for-one","max_restarts":1,"within_seconds":5,"used":0,"busy":false}}`, of("root/empty"))
	})
}

func names(node map[string]any) (list []string) {
	for _, c := range node["children"].([]any) {
		list = append(list, c.(map[string]any)["name"].(string))
	}
	return list
}

func TestWalkAndFind(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := town(t)
		n := w.node("root")
		var paths []string
		n.Walk(func(m *tree.Node) bool {
			paths = append(paths, m.Path)
			return m.Name != "late"
		})
		require.Equal(t, []string{"root", "root/actor", "root/sub", "root/sub/failing", "root/sub/late"}, paths)
		require.Equal(t, "down", n.Find("root/sub/down").Name)
		require.Equal(t, &n, n.Find("root"))
		require.Nil(t, n.Find("root/sub/nobody"))
		require.Equal(t, tree.Counts{Specs: 4, Active: 4, Supervisors: 2, Workers: 2}, n.Counts())
		require.Equal(t, tree.Counts{Specs: 3, Active: 1, Workers: 3}, n.Find("root/sub").Counts())
		counts, err := w.CountChildren(t.Context(), "root/sub")
		require.NoError(t, err)
		require.Equal(t, n.Find("root/sub").Counts(), counts)
	})
}

// A process that is not running has no pid, but keeps its exit code; a status of
// an incarnation that is gone does not count.
func TestStatus(t *testing.T) {
	bubble(t, func(t *testing.T) {
		code, contexts := 3, make(chan context.Context, 2)
		p := process{onStart(func(ctx context.Context, n int) error {
			contexts <- ctx
			actor.SetStatus(ctx, actor.Status{PID: n, Exit: &actor.ExitStatus{Code: code}, Text: "up"})
			return nil
		})}
		w := start(t, tree.Spec{Children: []tree.Child{{Name: "p", Service: p}}})
		require.NoError(t, w.TerminateChild(t.Context(), "root/p"))
		n := w.node("root/p")
		require.Zero(t, n.PID)
		require.Equal(t, code, n.Exit.Code)
		require.NoError(t, w.RestartChild(t.Context(), "root/p"))
		actor.SetStatus(<-contexts, actor.Status{PID: 99})
		require.Equal(t, 2, w.node("root/p").PID)
		actor.SetStatus(<-contexts, actor.Status{Text: "reloading"})
		require.Equal(t, "reloading", w.node("root/p").Status)
	})
}

// An incarnation that has said nothing yet has not the pid of the one before it, nor,
// if it is stopped before it was ready, its uptime.
func TestSnapshotOfTheNextIncarnation(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := process{onStart(func(ctx context.Context, n int) error {
			if n == 1 {
				actor.SetStatus(ctx, actor.Status{PID: 4711, Text: "serving"})
				actor.Ready(ctx)
			}
			return nil
		})}
		p.onStop = func(context.Context) error { time.Sleep(time.Second); return nil }
		w := start(t, tree.Spec{Intensity: unlimited, Children: []tree.Child{{Name: "p", Service: p, StartTimeout: time.Minute}}})
		require.Equal(t, 4711, w.node("root/p").PID)
		sleep(time.Hour)
		p.end(errBoom)
		n := w.node("root/p")
		require.Equal(t, []any{2, tree.Starting}, []any{n.Incarnation, n.State})
		require.Equal(t, "serving", n.Status, "which stays")
		require.Zero(t, n.PID)
		sleep(time.Minute)
		n = w.node("root/p")
		require.Equal(t, tree.Stopping, n.State)
		require.Zero(t, n.PID)
		require.Zero(t, n.Uptime)
	})
}

// While a supervisor is starting or stopping, that is what is seen.
func TestSnapshotOnTheWay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		up := make(chan struct{})
		slow := announced{onStart(func(ctx context.Context, _ int) error { <-up; actor.Ready(ctx); return nil })}
		slow.onStop = func(context.Context) error { time.Sleep(time.Second); return nil }
		s := start(t, tree.Spec{Children: kids(newPart())})
		go func() { _ = s.StartChild(t.Context(), "root", tree.Child{Name: "slow", Service: slow}) }()
		n := s.node("root")
		require.True(t, n.Busy)
		require.Equal(t, "a running, slow starting", s.states("root"))
		close(up)
		require.Equal(t, "a running, slow running", s.states("root"))
		go func() { _, _ = s.Stop(context.Background()) }()
		require.Equal(t, tree.Stopping, s.node("root").State)
		require.Equal(t, "a running, slow stopping", s.states("root"))
		<-s.Done()
		n = s.node("root")
		require.Equal(t, tree.Down, n.State)
		require.Zero(t, n.Uptime)
		require.Equal(t, "a down, slow down", s.states("root"))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := s.Snapshot(ctx)
		require.ErrorIs(t, err, context.Canceled)
		_, err = s.CountChildren(ctx, "root")
		require.Error(t, err)
	})
}

// A snapshot written over an earlier one is as a new one, whatever has become of the
// tree meanwhile.
func TestReadSnapshot(t *testing.T) {
	bubble(t, func(t *testing.T) {
		sub := func(name string, names ...string) tree.Child {
			spec := tree.Spec{Intensity: strategies.Intensity{Max: 1}}
			for _, n := range names {
				spec.Children = append(spec.Children, tree.Child{Name: n, Service: newPart()})
			}
			return tree.Child{Name: name, Service: spec, Restart: strategies.Temporary}
		}
		failing := newPart()
		s := start(t, tree.Spec{Intensity: unlimited, Children: []tree.Child{
			{Name: "a", Service: newPart()}, sub("s1", "x", "y", "z"), {Name: "b", Service: failing}, sub("s2"), sub("s3", "u"),
		}})
		var n tree.Node
		check := func() {
			t.Helper()
			want, err := s.Snapshot(t.Context())
			require.NoError(t, err)
			require.NoError(t, s.ReadSnapshot(t.Context(), &n))
			require.Equal(t, want, n)
		}
		check()
		whole := n.Children
		time.Sleep(time.Second)
		failing.end(errBoom)
		synctest.Wait()
		check()
		for _, do := range []func() error{
			func() error { return s.TerminateChild(t.Context(), "root/s1/y") },
			func() error { return s.TerminateChild(t.Context(), "root/a") },
			func() error { return s.StartChild(t.Context(), "root/s2", tree.Child{Name: "new", Service: newPart()}) },
			func() error { return s.TerminateChild(t.Context(), "root/s1") },
			func() error { return s.StartChild(t.Context(), "root", sub("s4", "k", "l")) },
		} {
			require.NoError(t, do())
			check()
		}
		require.Same(t, &whole[0], &n.Children[0])
		require.NoError(t, s.TerminateChild(t.Context(), "root/s4"))
		check()
		require.Zero(t, whole[len(n.Children)], "nothing is kept of what is gone")
		_, err := s.Stop(context.Background())
		require.NoError(t, err)
		check()
		before := n
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(errBoom)
		require.ErrorIs(t, s.ReadSnapshot(ctx, &n), errBoom)
		require.Equal(t, before, n)
		err = s.ReadSnapshot(t.Context(), nil)
		require.ErrorIs(t, err, tree.ErrBadArgument)
		require.EqualError(t, err, "snapshot root: bad argument: the node to be read into is nil")
	})
}

// Children that go while a large supervisor is looked at do not disturb what is seen
// of the others.
func TestSnapshotOfMany(t *testing.T) {
	const all, every = 4_500, 3 // every third stays, so the list is made anew on the way
	spec := tree.Spec{Children: waiters(all)}
	for i := range spec.Children {
		spec.Children[i].Restart = strategies.Temporary
	}
	r, err := unwatched.Start(t.Context(), spec)
	require.NoError(t, err)
	gone := make(chan error)
	go func() {
		defer close(gone)
		for i := range all {
			if i%every == 0 {
				continue
			}
			if err := r.TerminateChild(t.Context(), "root/w"+strconv.Itoa(i)); err != nil {
				gone <- err
			}
		}
	}()
	for over := false; !over; {
		select {
		case err, more := <-gone:
			require.NoError(t, err)
			over = !more
		default:
		}
		n, err := r.Snapshot(t.Context())
		require.NoError(t, err)
		require.Contains(t, n.LastStart.String(), " m=", "read from a clock that nobody sets")
		last, stay := -1, 0
		for _, c := range n.Children {
			i, err := strconv.Atoi(c.Name[1:])
			require.NoError(t, err)
			require.Greater(t, i, last, "in start order")
			if last = i; i%every == 0 {
				stay++
				require.Equal(t, tree.Running, c.State)
			}
		}
		require.Equal(t, all/every, stay)
		require.True(t, !over || len(n.Children) == stay, "and then they are gone")
	}
	_, err = r.Stop(context.Background())
	require.NoError(t, err)
}
