package tree_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

// 1. Children start in list order; each start returns only when the child has
// initialised. A supervisor is started when its last child is.
func TestSemantics01StartOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		gate := make(chan struct{})
		slow := onStart(func(ctx context.Context, _ int) error {
			<-gate
			actor.Ready(ctx)
			return nil
		})
		w, done := background(t, t.Context(), tree.Spec{Children: []tree.Child{
			{Name: "a", Service: newPart()},
			{Name: "b", Service: tree.Spec{Children: []tree.Child{
				{Name: "x", Service: newPart()},
				{Name: "y", Service: slow, StartTimeout: time.Hour},
				{Name: "z", Service: newPart()},
			}}},
			{Name: "c", Service: newPart()},
		}})
		sleep(time.Minute)
		require.Equal(t, "+a +b/x", w.life(), "y has not initialised yet")

		close(gate)
		require.Equal(t, []string{
			"b/y: child started",
			"b/z: child started",
			"b: supervisor started",
			"b: child started",
			"c: child started",
			"root: supervisor started",
		}, w.story())
		require.True(t, pending(done))
	})
}

// 2. A child that fails to start while its supervisor starts: those already
// started are stopped in reverse order; the supervisor fails to start, its error
// names the child and wraps the cause.
func TestSemantics02StartFails(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := record(t)
		_, err := w.runner().Start(t.Context(), tree.Spec{Name: "shop", Children: []tree.Child{
			{Name: "a", Service: newPart()},
			{Name: "b", Service: newPart()},
			{Name: "c", Service: tree.Spec{Children: []tree.Child{
				{Name: "x", Service: newPart()},
				{Name: "y", Service: onStart(func(context.Context, int) error { return errBoom }), StartTimeout: time.Second},
				{Name: "z", Service: newPart()},
			}}},
			{Name: "d", Service: newPart()},
		}})
		require.Equal(t, "+a +b +c/x !c/y -c/x !c -b -a", w.life(), "z and d never start")

		require.ErrorIs(t, err, errBoom)
		require.ErrorIs(t, err, tree.ErrStartFailed)
		require.EqualError(t, err, "start shop/c: start shop/c/y: boom")
		var outer *tree.StartError
		require.ErrorAs(t, err, &outer)
		require.Equal(t, "shop/c", outer.Path)
		var inner *tree.StartError
		require.ErrorAs(t, outer.Err, &inner)
		require.Equal(t, "shop/c/y", inner.Path)
	})
}

// 3. ignore: the child counts as started, runs nothing; its spec is kept with no
// incarnation (a temporary one's spec is dropped).
func TestSemantics03Ignore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ignore := actor.Func(func(context.Context) error { return actor.ErrIgnore })
		w := start(t, tree.Spec{Children: []tree.Child{
			{Name: "perm", Service: ignore, StartTimeout: time.Second},
			{Name: "trans", Service: ignore, StartTimeout: time.Second, Restart: strategies.Transient},
			{Name: "temp", Service: ignore, StartTimeout: time.Second, Restart: strategies.Temporary},
			{Name: "last", Service: newPart()},
		}})
		require.Equal(t, "~perm ~trans ~temp +last", w.life())
		require.Equal(t, "perm down, trans down, last running", w.states("root"))
		counts, err := w.CountChildren(t.Context(), "root")
		require.NoError(t, err)
		require.Equal(t, tree.Counts{Specs: 3, Active: 1, Workers: 3}, counts)
	})
}

// A child that is not waited for may still find that it has nothing to run.
func TestSemantics03IgnoreOfChildNotWaitedFor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ignore := actor.Func(func(context.Context) error { return actor.ErrIgnore })
		w := start(t, tree.Spec{Intensity: none, Children: []tree.Child{
			{Name: "perm", Service: ignore},
			{Name: "temp", Service: ignore, Restart: strategies.Temporary},
			{Name: "last", Service: newPart()},
		}})
		require.Equal(t, "perm down, last running", w.states("root"))
	})
}

// 4. Specs are checked before anything starts. See also api_invalid_test.go.
func TestSemantics04SpecIsChecked(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := record(t)
		_, err := w.runner().Start(t.Context(), tree.Spec{Name: "shop", Children: []tree.Child{
			{Name: "a", Service: newPart()},
			{Name: "b", Service: tree.Spec{Children: []tree.Child{
				{Name: "x", Service: newPart(), Significant: true, Restart: strategies.Transient},
			}}},
		}})
		require.Empty(t, w.news(), "nothing was started")
		require.ErrorIs(t, err, tree.ErrInvalidSpec)
		var se *tree.SpecError
		require.ErrorAs(t, err, &se)
		require.Equal(t, "shop/b/x", se.Path)
		require.Equal(t, "Significant", se.Field)
	})
}

// 5. A nested supervisor that restarts starts from its spec: children added at
// run time are gone.
func TestSemantics05RestartFromSpec(t *testing.T) {
	bubble(t, func(t *testing.T) {
		x := newPart()
		w := start(t, tree.Spec{Intensity: unlimited, Children: []tree.Child{
			{Name: "sub", Service: tree.Spec{Intensity: none, Children: []tree.Child{
				{Name: "x", Service: x},
				{Name: "gone", Service: newPart()},
			}}},
		}})
		require.NoError(t, w.StartChild(t.Context(), "root/sub", tree.Child{Name: "added", Service: newPart()}))
		require.NoError(t, w.TerminateChild(t.Context(), "root/sub/gone"))
		require.NoError(t, w.DeleteChild(t.Context(), "root/sub/gone"))
		require.Equal(t, "x running, added running", w.states("root/sub"))

		x.end(errBoom) // one failure too many: sub gives up and is restarted
		require.Equal(t, "x running, gone running", w.states("root/sub"))
		require.Equal(t, 2, w.node("root/sub").Incarnation)
		require.Equal(t, 2, w.node("root/sub/x").Incarnation, "incarnations go on counting")
		require.Zero(t, w.node("root/sub").Used, "and so do restarts")
	})
}

// restartTable is rule 6 to 9: who comes back after which end.
var restartTable = []struct {
	name      string
	end       func() error
	transient bool // a transient child is restarted
}{
	{"nil", func() error { return nil }, false},
	{"ErrShutdown", func() error { return actor.ErrShutdown }, false},
	{"Shutdown", func() error { return actor.Shutdown(errBoom) }, false},
	{"error", func() error { return errBoom }, true},
	{"foreign context.Canceled", func() error { return context.Canceled }, true},
	{"panic", func() error { panic("ouch") }, true},
}

// 6. permanent: always restarted. transient: only after an abnormal end.
// temporary: never.
func TestSemantics06RestartTypes(t *testing.T) {
	for _, tt := range restartTable {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				perm, trans, temp := newPart(), newPart(), newPart()
				w := start(t, tree.Spec{Intensity: unlimited, Children: []tree.Child{
					{Name: "perm", Service: perm},
					{Name: "trans", Service: trans, Restart: strategies.Transient},
					{Name: "temp", Service: temp, Restart: strategies.Temporary},
				}})
				w.news()
				perm.run(tt.end)
				require.Equal(t, "-perm +perm2", w.life())
				trans.run(tt.end)
				if tt.transient {
					require.Equal(t, "-trans +trans2", w.life())
				} else {
					require.Equal(t, "-trans", w.life())
				}
				temp.run(tt.end)
				require.Equal(t, "-temp", w.life())
			})
		})
	}
}

// 7. A temporary child's spec goes away when it ends, for whatever reason, also
// when a sibling's failure stopped it.
func TestSemantics07TemporarySpecGoes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := newPart(), newPart()
		w := start(t, tree.Spec{Strategy: strategies.OneForAll, Intensity: unlimited, Children: []tree.Child{
			{Name: "a", Service: a},
			{Name: "b", Service: b, Restart: strategies.Temporary},
			{Name: "c", Service: newPart(), Restart: strategies.Temporary},
			{Name: "d", Service: newPart(), Restart: strategies.Temporary},
		}})
		b.end(nil)
		require.Equal(t, "a running, c running, d running", w.states("root"))
		require.NoError(t, w.TerminateChild(t.Context(), "root/c"))
		require.Equal(t, "a running, d running", w.states("root"))
		a.end(errBoom)
		require.Equal(t, "a running", w.states("root"))

		b = newPart()
		require.NoError(t, w.StartChild(t.Context(), "root", tree.Child{Name: "b", Service: b}), "the name is free")
		_, err := w.Find(t.Context(), "root/d")
		require.ErrorIs(t, err, tree.ErrNotFound)
	})
}

// 8. A transient child that ended normally keeps its spec, without an
// incarnation; it can be restarted or deleted by request.
func TestSemantics08TransientKeepsSpec(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newPart()
		w := start(t, tree.Spec{Children: []tree.Child{{Name: "a", Service: a, Restart: strategies.Transient}}})
		a.end(nil)
		require.Equal(t, "a down", w.states("root"))
		require.NoError(t, w.RestartChild(t.Context(), "root/a"))
		require.Equal(t, "a running", w.states("root"))
		require.Equal(t, 2, w.node("root/a").Incarnation)
		a.end(nil)
		require.NoError(t, w.DeleteChild(t.Context(), "root/a"))
		require.Empty(t, w.states("root"))
	})
}

// 9. normal, shutdown and shutdown-with-a-reason are not abnormal.
func TestSemantics09NotAbnormal(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newPart()
		w := start(t, tree.Spec{Intensity: unlimited, Children: kids(a)})
		w.news()
		for _, tt := range restartTable {
			a.run(tt.end)
			ended := w.news()[0]
			require.Equal(t, tree.ChildEnded, ended.Kind)
			require.Equal(t, tt.transient, ended.Class == actor.ClassAbnormal, tt.name)
		}
		a.end(actor.Shutdown(errBoom))
		ended := w.news()[0]
		require.Equal(t, actor.ClassShutdown, ended.Class)
		require.ErrorIs(t, ended.Err, errBoom, "the reason is kept")
		synctest.Wait()
	})
}
