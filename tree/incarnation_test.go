package tree_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

// A path and an incarnation name one run for good: numbers go on through restarts
// of the supervisors above, and so do the names of instances.
func TestIncarnationsGoOn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var seen sync.Map
		once := func() *part {
			return onStart(func(ctx context.Context, _ int) error {
				id, _ := actor.Self(ctx)
				_, again := seen.LoadOrStore(id, true)
				require.False(t, again, id)
				return nil
			})
		}
		temporary := once()
		w := start(t, tree.Spec{Intensity: unlimited, Children: []tree.Child{
			{Name: "mid", Service: tree.Spec{Intensity: unlimited, Children: []tree.Child{
				{Name: "sub", Restart: strategies.Temporary, Service: tree.Spec{Intensity: unlimited, Children: kids(once())}},
				{Name: "temp", Service: temporary, Restart: strategies.Temporary},
				{Name: "dyn", Service: tree.Spec{Template: &tree.Template{Child: tree.Child{Service: once()}}}},
			}}},
		}})
		for range 3 {
			_, err := w.StartInstance(t.Context(), "root/mid/dyn", nil)
			require.NoError(t, err)
			temporary.end(nil)
			require.NoError(t, w.TerminateChild(t.Context(), "root/mid/sub"))
			require.NoError(t, w.ReplaceChild(t.Context(), "root/mid"))
		}
		require.Equal(t, 4, w.node("root/mid/sub/a").Incarnation)
		require.Equal(t, 4, w.node("root/mid/temp").Incarnation)
		path, err := w.StartInstance(t.Context(), "root/mid/dyn", nil)
		require.NoError(t, err)
		require.Equal(t, "root/mid/dyn/#4", path)
	})
}
