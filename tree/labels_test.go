package tree_test

import (
	"context"
	"runtime/pprof"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/tree"
)

// The labels of an incarnation are in its context, also for what pprof derives from
// it, beside those of the context that the tree was started with.
func TestLabelsInTheContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := newPart()
		ctx := pprof.WithLabels(context.Background(), pprof.Labels("program", "shop", tree.LabelPath, "before"))
		w := record(t)
		tr, err := w.runner().Start(ctx, tree.Spec{Intensity: unlimited, Children: kids(p)})
		require.NoError(t, err)
		defer tr.Stop(context.Background())
		for n, want := range []string{"1", "2"} {
			if n > 0 {
				p.end(errBoom)
			}
			got := map[string]string{}
			pprof.ForLabels(p.context(), func(key, value string) bool {
				got[key] = value
				return true
			})
			require.Equal(t, map[string]string{"program": "shop", tree.LabelPath: "root/a", tree.LabelIncarnation: want}, got)
			more := pprof.WithLabels(p.context(), pprof.Labels("job", "7"))
			path, _ := pprof.Label(more, tree.LabelPath)
			require.Equal(t, "root/a", path)
		}
	})
}
