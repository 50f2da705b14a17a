package tree_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/tree"
)

// A child may stop its own tree, also while the tree starts.
func TestStopFromInside(t *testing.T) {
	bubble(t, func(t *testing.T) {
		stopper := onStart(func(ctx context.Context, _ int) error {
			tr, _ := tree.From(ctx)
			go func() { _, _ = tr.Stop(context.Background()) }()
			return nil
		})
		w := record(t)
		_, err := w.runner().Start(t.Context(), tree.Spec{Children: kids(newPart(), announced{stopper}, newPart())})
		require.ErrorIs(t, err, tree.ErrSupervisorStopped)
		require.Equal(t, "+a -b -a", w.life())
	})
}

// With its own context, or one made of it, a child is stopped as every other: its
// siblings have their grace, and its call ends with the cause.
func TestStopFromInsideWithOwnContext(t *testing.T) {
	for name, derive := range map[string]func(context.Context) (context.Context, context.CancelFunc){
		"own": context.WithCancel,
		"timeout": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Minute)
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				slow := onStop(func(ctx context.Context) error {
					select {
					case <-actor.Killed(ctx):
						return errBoom
					case <-time.After(3 * time.Second):
						return nil
					}
				})
				answer := make(chan error, 1)
				stopper := newPart()
				inner := actor.Func(func(ctx context.Context) error {
					return tree.Spec{Children: kids(stopper)}.Serve(ctx)
				})
				var tr *tree.Tree
				stop := func(ctx context.Context) func() error {
					return func() error {
						ctx, cancel := derive(ctx)
						defer cancel()
						_, err := tr.Stop(ctx)
						answer <- err
						return nil
					}
				}
				for _, direct := range []bool{true, false} {
					last := actor.Service(stopper)
					if !direct { // in a tree of its own in a child
						last = inner
					}
					w := start(t, tree.Spec{Children: kids(newPart(), slow, last)})
					tr = w.Tree
					w.news()
					stopper.run(stop(stopper.context()))
					var cause *actor.StopCause
					require.ErrorAs(t, <-answer, &cause)
					require.ErrorIs(t, cause, actor.ErrStopping)
					require.NoError(t, w.Wait(t.Context()))
					require.Equal(t, "-c -b -a", w.life())
					report, ok := w.Report()
					require.True(t, ok)
					require.Equal(t, tree.Report{Took: 3 * time.Second}, report)
				}
			})
		})
	}
}

// Nothing else of it is different: a deadline of its own bounds the stop, whoever is
// stopped first, and so does StopTimeout.
func TestStopFromInsideIsBounded(t *testing.T) {
	for name, tt := range map[string]struct {
		limit, want time.Duration
	}{
		"deadline": {20 * time.Second, 20 * time.Second},
		"none":     {0, tree.DefaultStopTimeout},
	} {
		for _, first := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					slow, stopper := newDeaf(1), newPart()
					list := []tree.Child{{Name: "slow", Service: slow, Shutdown: time.Hour}, {Name: "stopper", Service: stopper}}
					if !first {
						slices.Reverse(list)
					}
					w := start(t, tree.Spec{Children: list})
					began := time.Now()
					stopper.run(func() error {
						ctx, cancel := stopper.context(), context.CancelFunc(func() {})
						if tt.limit > 0 {
							ctx, cancel = context.WithTimeout(ctx, tt.limit)
						}
						defer cancel()
						_, err := w.Stop(ctx)
						return err
					})
					<-w.Done()
					report, _ := w.Report()
					require.Len(t, report.Stuck, 1)
					require.Equal(t, "root/slow", report.Stuck[0].Path)
					require.GreaterOrEqual(t, time.Since(began), tt.want)
					require.LessOrEqual(t, time.Since(began), tt.want+forced)
					slow.free()
				})
			})
		}
	}
}
