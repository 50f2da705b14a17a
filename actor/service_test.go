package actor_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/tree"
)

var quiet = tree.Runner{Logger: slog.New(slog.DiscardHandler)}

// A Func gets the very context that Serve is given, and its answer comes back.
func TestFuncIsItsFunction(t *testing.T) {
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, 1)
	var got context.Context
	f := actor.Func(func(ctx context.Context) error { got = ctx; return nil })
	require.NoError(t, f.Serve(ctx))
	require.Equal(t, ctx, got)
	require.PanicsWithValue(t, "p", func() { _ = actor.Func(func(context.Context) error { panic("p") }).Serve(ctx) })
}

// A nil Func is refused, and nothing starts.
func TestNilFuncIsRefused(t *testing.T) {
	first := actor.Func(func(context.Context) error { panic("started") })
	err := quiet.Run(t.Context(), tree.Spec{Children: []tree.Child{
		{Name: "first", Service: first},
		{Name: "second", Service: actor.Func(nil)},
	}})
	require.ErrorIs(t, err, tree.ErrInvalidSpec)
	require.ErrorContains(t, err, "root/second")
}

// robot is a service that says all that it can of itself.
type robot struct {
	broken error
	runs   int
}

func (r *robot) Kind() string         { return "robot" }
func (r *robot) Validate() error      { return r.broken }
func (r *robot) AnnouncesReady() bool { return true }
func (r *robot) Killable() bool       { return true }

func (r *robot) Serve(ctx context.Context) error {
	r.runs++
	actor.Ready(ctx)
	if r.runs == 1 {
		return errBoom
	}
	<-ctx.Done()
	return nil
}

var (
	_ actor.Announcer = (*robot)(nil)
	_ actor.Killer    = (*robot)(nil)
	_ actor.Kinder    = (*robot)(nil)
	_ actor.Validator = (*robot)(nil)
)

// A Validator is asked before anything starts.
func TestValidator(t *testing.T) {
	errFlat := errors.New("flat battery")
	good, bad := &robot{}, &robot{broken: errFlat}
	err := quiet.Run(t.Context(), tree.Spec{Children: []tree.Child{{Name: "a", Service: good}, {Name: "b", Service: bad}}})
	require.ErrorIs(t, err, errFlat)
	require.Zero(t, good.runs)
	require.Zero(t, bad.runs)
}

// The kind is shown, and every incarnation is a Serve of the same value.
func TestKinderAndIncarnations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &robot{}
		tr, err := quiet.Start(t.Context(), tree.Spec{Children: []tree.Child{{Name: "a", Service: r}}})
		require.NoError(t, err)
		synctest.Wait()
		node, err := tr.Snapshot(t.Context())
		require.NoError(t, err)
		require.Equal(t, "robot", node.Children[0].Kind)
		require.Equal(t, 2, node.Children[0].Incarnation)
		_, err = tr.Stop(t.Context())
		require.NoError(t, err)
		require.Equal(t, 2, r.runs)
	})
}
