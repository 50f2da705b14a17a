package tree_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

// menagerie is a supervisor at path with a child in each state that a request may
// find: "running", "restarting" and "down".
func menagerie(t *testing.T, nested bool) (w *world, path string) {
	t.Helper()
	failing, done := newPart(), newPart()
	spec := tree.Spec{Intensity: unlimited, Children: []tree.Child{
		{Name: "running", Service: newPart()},
		{Name: "restarting", Service: failing, Policy: strategies.Policy{Delay: time.Hour}},
		{Name: "down", Service: done, Restart: strategies.Transient},
	}}
	path = "root"
	if nested {
		path = "root/mid/low"
		spec = tree.Spec{Children: []tree.Child{
			{Name: "mid", Service: tree.Spec{Children: []tree.Child{{Name: "low", Service: spec}}}},
		}}
	}
	w = start(t, spec)
	failing.end(errBoom)
	done.end(nil)
	require.Equal(t, "running running, restarting restarting, down down", w.states(path))
	return w, path
}

// 21 to 24. What a request finds, and what it leaves.
func TestSemantics21To24Requests(t *testing.T) {
	startChild := func(w *world, path string) error {
		sup, name := path[:len(path)-len(base(path))-1], base(path)
		return w.StartChild(context.Background(), sup, tree.Child{Name: name, Service: newPart()})
	}
	ask := func(f func(*tree.Tree, context.Context, string) error) func(*world, string) error {
		return func(w *world, path string) error { return f(w.Tree, context.Background(), path) }
	}
	for _, tt := range []struct {
		op    string
		call  func(w *world, path string) error
		child string
		want  error
		state string // of the child afterwards; "": gone
	}{
		{"start", startChild, "running", tree.ErrAlreadyStarted, "running"},
		{"start", startChild, "restarting", tree.ErrAlreadyPresent, "restarting"},
		{"start", startChild, "down", tree.ErrAlreadyPresent, "down"},
		{"start", startChild, "new", nil, "running"},
		{"terminate", ask((*tree.Tree).TerminateChild), "running", nil, "down"},
		{"terminate", ask((*tree.Tree).TerminateChild), "restarting", nil, "down"},
		{"terminate", ask((*tree.Tree).TerminateChild), "down", nil, "down"},
		{"terminate", ask((*tree.Tree).TerminateChild), "new", tree.ErrNotFound, ""},
		{"restart", ask((*tree.Tree).RestartChild), "running", tree.ErrRunning, "running"},
		{"restart", ask((*tree.Tree).RestartChild), "restarting", tree.ErrRestarting, "restarting"},
		{"restart", ask((*tree.Tree).RestartChild), "down", nil, "running"},
		{"restart", ask((*tree.Tree).RestartChild), "new", tree.ErrNotFound, ""},
		{"delete", ask((*tree.Tree).DeleteChild), "running", tree.ErrRunning, "running"},
		{"delete", ask((*tree.Tree).DeleteChild), "restarting", tree.ErrRestarting, "restarting"},
		{"delete", ask((*tree.Tree).DeleteChild), "down", nil, ""},
		{"delete", ask((*tree.Tree).DeleteChild), "new", tree.ErrNotFound, ""},
		{"replace", ask((*tree.Tree).ReplaceChild), "running", nil, "running"},
		{"replace", ask((*tree.Tree).ReplaceChild), "restarting", nil, "running"},
		{"replace", ask((*tree.Tree).ReplaceChild), "down", nil, "running"},
		{"replace", ask((*tree.Tree).ReplaceChild), "new", tree.ErrNotFound, ""},
	} {
		for _, nested := range []bool{false, true} {
			name := tt.op + "/" + tt.child
			if nested {
				name += "/nested"
			}
			t.Run(name, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					w, sup := menagerie(t, nested)
					path := sup + "/" + tt.child
					err := tt.call(w, path)
					if tt.want == nil {
						require.NoError(t, err)
					} else {
						require.ErrorIs(t, err, tt.want)
						var re *tree.RequestError
						require.ErrorAs(t, err, &re)
						require.Equal(t, path, re.Path)
						require.Equal(t, tt.op+" child", re.Op)
					}
					n, err := w.Find(t.Context(), path)
					if tt.state == "" {
						require.ErrorIs(t, err, tree.ErrNotFound)
						return
					}
					require.NoError(t, err)
					require.Equal(t, tt.state, n.State.String())
				})
			})
		}
	}
}

func base(path string) string {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '/' {
			return path[i+1:]
		}
	}
	return path
}

// 21. start_child: start fails -> the error, and the spec is not kept; ignore ->
// ok, kept (temporary: not kept).
func TestSemantics21StartChild(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := start(t, tree.Spec{Intensity: none})
		fails := onStart(func(context.Context, int) error { return errBoom })
		err := w.StartChild(t.Context(), "root", tree.Child{Name: "a", Service: fails, StartTimeout: time.Second})
		require.ErrorIs(t, err, tree.ErrStartFailed)
		require.ErrorIs(t, err, errBoom)
		require.Empty(t, w.states("root"))

		ignores := onStart(func(context.Context, int) error { return actor.ErrIgnore })
		require.NoError(t, w.StartChild(t.Context(), "root", tree.Child{Name: "b", Service: announced{ignores}}))
		require.NoError(t, w.StartChild(t.Context(), "root", tree.Child{Name: "c", Service: announced{ignores}, Restart: strategies.Temporary}))
		require.Equal(t, "b down", w.states("root"))
		require.Zero(t, w.node("root").Used, "nothing of this is a restart")
	})
}

// A start that was asked for and has failed is told from one that was refused.
func TestSemantics21StartFailed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		a := announced{onStart(func(ctx context.Context, n int) error {
			switch n {
			case 1:
				actor.Ready(ctx)
				return nil
			case 5:
				<-ctx.Done()
			}
			return tree.ErrAlreadyStarted // whatever it says
		})}
		w := start(t, tree.Spec{Children: []tree.Child{
			{Name: "a", Service: a},
			{Name: "dyn", Service: tree.Spec{Template: &tree.Template{Child: tree.Child{Service: announced{onStart(func(context.Context, int) error { return errBoom })}}}}},
		}})
		err := w.RestartChild(ctx, "root/a")
		require.ErrorIs(t, err, tree.ErrRunning)
		require.NotErrorIs(t, err, tree.ErrStartFailed)
		err = w.ReplaceChild(ctx, "root/a")
		require.ErrorIs(t, err, tree.ErrStartFailed)
		require.EqualError(t, err, "replace child root/a: already started")
		require.ErrorIs(t, w.RestartChild(ctx, "root/a"), tree.ErrStartFailed)
		require.ErrorIs(t, w.StartChild(ctx, "root", tree.Child{Name: "b", Service: a}), tree.ErrStartFailed)
		_, err = w.StartInstance(ctx, "root/dyn", nil)
		require.ErrorIs(t, err, tree.ErrStartFailed)
		started := later(func() error { return w.RestartChild(ctx, "root/a") })
		w.stop()
		err = <-started
		require.ErrorIs(t, err, tree.ErrSupervisorStopped)
		require.NotErrorIs(t, err, tree.ErrStartFailed)
	})
}

// A child added at run time is the last in start order, and takes part in
// everything; deleting and adding it again moves it to the end.
func TestSemantics21OrderOfAddedChildren(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := start(t, tree.Spec{Children: kids(newPart(), newPart())})
		add := func(name string) {
			require.NoError(t, w.StartChild(t.Context(), "root", tree.Child{Name: name, Service: newPart()}))
		}
		add("x")
		add("y")
		require.NoError(t, w.TerminateChild(t.Context(), "root/a"))
		require.NoError(t, w.RestartChild(t.Context(), "root/a"))
		require.NoError(t, w.TerminateChild(t.Context(), "root/x"))
		require.NoError(t, w.DeleteChild(t.Context(), "root/x"))
		add("x")
		w.news()
		w.stop()
		require.Equal(t, "-x -y -b -a2", w.life())
	})
}

// 22. terminate_child stops it and keeps the spec without incarnation (temporary:
// spec dropped); on a restarting child it cancels the restart. It does not count
// as a failure.
func TestSemantics22TerminateChild(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newPart()
		w := start(t, tree.Spec{
			Strategy: strategies.OneForAll, Intensity: none,
			Children: []tree.Child{
				{Name: "a", Service: a},
				{Name: "b", Service: newPart(), Restart: strategies.Temporary},
				{Name: "c", Service: newPart()},
			},
		})
		w.news()
		require.NoError(t, w.TerminateChild(t.Context(), "root/a"))
		require.ErrorIs(t, a.lastCause(), actor.ErrRemoved)
		require.NoError(t, w.TerminateChild(t.Context(), "root/b"))
		require.Equal(t, []string{
			"a: child ended, shutdown: context canceled",
			"a: request done, terminate child",
			"b: child ended, shutdown: context canceled",
			"b: request done, terminate child",
		}, w.story())
		require.Equal(t, "a down, c running", w.states("root"))
		require.Zero(t, w.node("root").Used)
	})
}

// 23. restart_child: start fails -> the error, spec kept; no restart follows and
// nothing is counted.
func TestSemantics23RestartChildFails(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := announced{onStart(func(ctx context.Context, n int) error {
			if n == 2 {
				return errBoom
			}
			actor.Ready(ctx)
			return nil
		})}
		w := start(t, tree.Spec{Intensity: none, Children: kids(a)})
		require.NoError(t, w.TerminateChild(t.Context(), "root/a"))
		require.ErrorIs(t, w.RestartChild(t.Context(), "root/a"), errBoom)
		sleep(time.Hour)
		require.Equal(t, "a down", w.states("root"))
		require.NoError(t, w.RestartChild(t.Context(), "root/a"))
		require.Zero(t, w.node("root").Used)
	})
}

// 25. which_children: name, state, kind. count_children: specs, active,
// supervisors, workers.
func TestSemantics25Reading(t *testing.T) {
	bubble(t, func(t *testing.T) {
		failing, done := newPart(), newPart()
		w := start(t, tree.Spec{Intensity: unlimited, Children: []tree.Child{
			{Name: "w1", Service: newPart()},
			{Name: "w2", Service: failing, Policy: strategies.Policy{Delay: time.Hour}},
			{Name: "w3", Service: done, Restart: strategies.Transient},
			{Name: "s1", Service: tree.Spec{}},
			{Name: "s2", Service: tree.Spec{}},
		}})
		failing.end(errBoom)
		done.end(nil)
		require.NoError(t, w.TerminateChild(t.Context(), "root/s2"))

		list, err := w.WhichChildren(t.Context(), "root")
		require.NoError(t, err)
		require.Equal(t, []tree.ChildState{
			{Name: "w1", State: tree.Running, Incarnation: 1},
			{Name: "w2", State: tree.Restarting, Incarnation: 1},
			{Name: "w3", State: tree.Down, Incarnation: 1},
			{Name: "s1", State: tree.Running, Incarnation: 1, Supervisor: true},
			{Name: "s2", State: tree.Down, Incarnation: 1, Supervisor: true},
		}, list)

		want := tree.Counts{Specs: 5, Active: 2, Supervisors: 2, Workers: 3}
		counts, err := w.CountChildren(t.Context(), "root")
		require.NoError(t, err)
		require.Equal(t, want, counts)
		n := w.node("root")
		require.Equal(t, want, n.Counts(), "the snapshot says the same")

		counts, err = w.CountChildren(t.Context(), "root/s1")
		require.NoError(t, err)
		require.Zero(t, counts)
	})
}

// 26. A request never sees a half-done ordered operation: it waits its turn
// (reading state is exempt).
func TestSemantics26RequestsWaitTheirTurn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		slow := func() *part {
			return onStop(func(context.Context) error { time.Sleep(time.Second); return nil })
		}
		a := newPart()
		w := start(t, tree.Spec{Strategy: strategies.OneForAll, Intensity: unlimited, Children: kids(a, slow(), slow())})
		w.news()
		a.end(errBoom) // two seconds of ordered stops begin

		listed := later(func() string {
			list, err := w.WhichChildren(context.Background(), "root")
			require.NoError(t, err)
			require.Len(t, list, 3)
			for _, c := range list {
				require.Equal(t, tree.Running, c.State)
			}
			return w.life()
		})
		removed := later(func() error { return w.TerminateChild(context.Background(), "root/b") })
		require.True(t, pending(listed))

		n, err := w.Snapshot(t.Context()) // answers at once
		require.NoError(t, err)
		require.True(t, n.Busy)
		require.Equal(t, "a restarting, b running, c stopping", w.states("root"))

		require.Equal(t, "-a -c -b +a2 +b2 +c2", <-listed)
		require.NoError(t, <-removed)
		require.Equal(t, "-b2", w.life())
	})
}
