package tree_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/tree"
)

// A child that says so has longer than its StartTimeout.
func TestExtendStart(t *testing.T) {
	const limit = 10 * time.Second
	for name, x := range map[string]struct {
		at, by, end time.Duration // when it says so, how much, and when it has failed
	}{
		"beyond":            {5 * time.Second, 20 * time.Second, 25 * time.Second},
		"less than left":    {time.Second, 2 * time.Second, limit},
		"nothing":           {time.Second, 0, limit},
		"less than no time": {time.Second, -time.Hour, limit},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				a := onStart(func(ctx context.Context, _ int) error {
					time.Sleep(x.at)
					actor.ExtendTimeout(ctx, x.by)
					return nil
				})
				begun := time.Now()
				_, err := record(t).runner().Start(t.Context(), tree.Spec{Children: []tree.Child{{Name: "a", Service: a, StartTimeout: limit}}})
				require.ErrorIs(t, err, actor.ErrStartTimeout)
				require.Equal(t, x.end, time.Since(begun))
			})
		})
	}
}

// The last word counts, but not for less than there was at first.
func TestExtendStartAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := onStart(func(ctx context.Context, _ int) error {
			for range 10 {
				actor.ExtendTimeout(ctx, 3*time.Second)
				time.Sleep(2 * time.Second)
			}
			actor.ExtendTimeout(ctx, time.Hour)
			actor.ExtendTimeout(ctx, time.Second)
			return nil
		})
		begun := time.Now()
		_, err := record(t).runner().Start(t.Context(), tree.Spec{Children: []tree.Child{{Name: "a", Service: a, StartTimeout: time.Second}}})
		require.ErrorIs(t, err, actor.ErrStartTimeout)
		require.Equal(t, 21*time.Second, time.Since(begun))
	})
}

// The same holds for its stop; in a dynamic supervisor for all that are stopped
// with it.
func TestExtendStop(t *testing.T) {
	slow := func(ctx context.Context) error {
		actor.ExtendTimeout(ctx, time.Minute)
		time.Sleep(50 * time.Second)
		actor.ExtendTimeout(ctx, time.Hour)
		time.Sleep(50 * time.Minute)
		return nil
	}
	for name, spec := range map[string]func(actor.Service) tree.Spec{
		"static": func(s actor.Service) tree.Spec {
			return tree.Spec{Children: []tree.Child{{Name: "a", Service: s, Shutdown: time.Second}}}
		},
		"dynamic": func(s actor.Service) tree.Spec {
			return tree.Spec{Template: &tree.Template{Child: tree.Child{Service: s, Shutdown: time.Second}}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := spec(onStop(slow))
				w := start(t, s)
				if s.Template != nil {
					_, err := w.StartInstance(t.Context(), "root", nil)
					require.NoError(t, err)
				}
				begun := time.Now()
				ctx, cancel := context.WithTimeout(context.Background(), 2*time.Hour)
				defer cancel()
				r, err := w.Stop(ctx)
				require.NoError(t, err)
				require.Empty(t, r.Stuck)
				require.Equal(t, 50*time.Minute+50*time.Second, time.Since(begun))
			})
		})
	}
}

// Who is not waited for gains nothing for later.
func TestExtendWhileRunning(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newPart()
		a.onStop = func(context.Context) error { time.Sleep(time.Hour); return nil }
		w := start(t, tree.Spec{Children: []tree.Child{{Name: "a", Service: a, Shutdown: time.Second}}})
		actor.ExtendTimeout(a.ctx, 2*time.Hour)
		sleep(time.Second)
		begun := time.Now()
		require.ErrorIs(t, w.TerminateChild(t.Context(), "root/a"), tree.ErrStuck)
		require.Equal(t, time.Second, time.Since(begun))
		actor.ExtendTimeout(a.ctx, time.Hour) // given up, and it changes nothing
		sleep(2 * time.Hour)
	})
}
