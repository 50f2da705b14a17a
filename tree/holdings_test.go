package tree_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/internal/inside"
	"github.com/coppice-go/coppice/tree"
)

// What children share is opened once and released when all of them have ended,
// and before the tree is said to have.
func TestWhatChildrenShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{ n int }
		var log []string
		open := func() (release func()) {
			log = append(log, "open")
			return func() { log = append(log, "release") }
		}
		var cell inside.Cell
		runs := 0
		child := actor.Func(func(ctx context.Context) error {
			cell = inside.From(ctx)
			require.True(t, cell.Hold(key{1}, open))
			require.True(t, cell.Hold(key{1}, open))
			if runs++; runs == 1 {
				return errors.New("once more")
			}
			<-ctx.Done()
			log = append(log, "ended")
			return nil
		})
		tr, err := tree.Runner{Logger: slog.New(slog.DiscardHandler)}.Start(t.Context(), tree.Spec{Children: []tree.Child{
			{Name: "a", Service: child},
			{Name: "sub", Service: tree.Spec{Children: []tree.Child{{Name: "b", Service: actor.Func(func(ctx context.Context) error {
				require.True(t, inside.From(ctx).Hold(key{1}, open))
				<-ctx.Done()
				return nil
			})}}}},
		}})
		require.NoError(t, err)
		synctest.Wait()
		require.Equal(t, []string{"open"}, log)
		require.True(t, cell.Hold(key{2}, open), "of an incarnation that is over, too")
		_, err = tr.Stop(context.Background())
		require.NoError(t, err)
		require.Equal(t, []string{"open", "open", "ended", "release", "release"}, log)
		require.False(t, cell.Hold(key{3}, open), "the tree has ended")
		require.Len(t, log, 5)
	})
}
