package tree_test

import (
	"context"
	"fmt"
	"runtime"
	"runtime/pprof"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

// onLabels calls do when pprof asks for the labels, which is the first thing that
// a child's goroutine does.
type onLabels struct {
	context.Context
	do func()
}

func (c onLabels) Value(key any) any {
	if fmt.Sprintf("%T", key) == "pprof.labelContextKey" {
		c.do()
	}
	return c.Context.Value(key)
}

func labelledContext(t *testing.T, do func()) context.Context {
	return onLabels{pprof.WithLabels(t.Context(), pprof.Labels("program", "shop")), do}
}

// Goroutines of children that are started in a row begin one after the other, and
// all have when the start, or the restart, is done.
func TestStartsBeginInOrder(t *testing.T) {
	const n = 500 // several rows
	var at, most, begun atomic.Int64
	ctx := labelledContext(t, func() {
		most.Store(max(most.Load(), at.Add(1)))
		runtime.Gosched()
		at.Add(-1)
		begun.Add(1)
	})
	r := record(t)
	tr, err := r.runner().Start(ctx, tree.Spec{Name: "root", Children: []tree.Child{
		{Name: "group", Service: tree.Spec{Strategy: strategies.OneForAll, Intensity: unlimited, Children: waiters(n)}},
	}})
	require.NoError(t, err)
	own := begun.Load() - n // of the supervisors
	require.LessOrEqual(t, own, int64(3))
	require.EqualValues(t, 1, most.Load())
	for i := range 3 {
		begun.Store(0)
		require.NoError(t, tr.ReplaceChild(t.Context(), "root/group"))
		require.GreaterOrEqual(t, begun.Load(), int64(n), i)
	}
	require.EqualValues(t, 1, most.Load())
	_, err = tr.Stop(context.Background())
	require.NoError(t, err)
}

// A child that does not get as far as its own code is one that fails: those after
// it begin all the same.
func TestStartsGoOnAfterAPanic(t *testing.T) {
	const n = 200
	var asked atomic.Int64
	ctx := labelledContext(t, func() {
		if asked.Add(1) == n/2 {
			panic("no labels")
		}
	})
	r := record(t)
	tr, err := r.runner().Start(ctx, tree.Spec{Intensity: unlimited, Children: waiters(n)})
	require.NoError(t, err)
	counts, err := tr.CountChildren(t.Context(), "root")
	require.NoError(t, err)
	require.Equal(t, n, counts.Specs)
	_, err = tr.Stop(context.Background())
	require.NoError(t, err)
}

// Who has asked for a start is answered when the child runs, not before.
func TestAnswerWhenTheChildRuns(t *testing.T) {
	var begun atomic.Int64
	ctx := labelledContext(t, func() {
		runtime.Gosched()
		begun.Add(1)
	})
	r := record(t)
	tr, err := r.runner().Start(ctx, tree.Spec{Name: "root", Children: waiters(1)})
	require.NoError(t, err)
	for i := range 300 {
		before := begun.Load()
		require.NoError(t, tr.StartChild(t.Context(), "root", tree.Child{Name: "new", Service: actor.Func(waiting), Restart: strategies.Temporary}))
		require.Equal(t, before+1, begun.Load(), i)
		require.NoError(t, tr.TerminateChild(t.Context(), "root/new"))
	}
	_, err = tr.Stop(context.Background())
	require.NoError(t, err)
}
