package tree_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

// A child that had run for a while is restarted before siblings that crash as soon
// as they are started; not if siblings are restarted together.
func TestRestartAheadOfAStorm(t *testing.T) {
	for strategy, want := range map[strategies.Strategy]string{
		strategies.OneForOne:  "+c2 +a2 +b3",
		strategies.RestForOne: "+c2 -c2 +b3 +c3 -c3 -b3 +a2 +b4 +c4",
	} {
		t.Run(strategy.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				a, b, c := newPart(), newPart(), newPart()
				ready := make(chan struct{}, 8)
				c.onRun = func(ctx context.Context, n int) error {
					if n == 2 {
						<-ready
					}
					actor.Ready(ctx)
					return nil
				}
				w := start(t, tree.Spec{Strategy: strategy, Intensity: unlimited, Children: kids(a, b, announced{c})})
				sleep(time.Second)
				if strategy == strategies.OneForOne {
					b.end(errBoom)
				} else {
					require.NoError(t, w.ReplaceChild(t.Context(), "root/b"))
				}
				c.end(errBoom)
				b.end(errBoom)
				a.end(errBoom)
				w.news()
				close(ready)
				require.Equal(t, want, w.life())
			})
		})
	}
}

// What came before an end is done before, however long the child had run: here it is
// terminated by a request, and has not failed.
func TestRequestBeforeAnEnd(t *testing.T) {
	for _, ran := range []time.Duration{0, time.Second} {
		t.Run(ran.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				a := newPart()
				up := make(chan struct{})
				slow := announced{onStart(func(ctx context.Context, _ int) error { <-up; actor.Ready(ctx); return nil })}
				w := start(t, tree.Spec{Intensity: none, Children: kids(a)})
				sleep(ran)
				started := later(func() error {
					return w.StartChild(context.Background(), "root", tree.Child{Name: "slow", Service: slow})
				})
				terminated := later(func() error { return w.TerminateChild(context.Background(), "root/a") })
				require.True(t, pending(terminated))
				a.end(errBoom)
				close(up)
				require.NoError(t, <-started)
				require.NoError(t, <-terminated)
				w.requireAlive()
			})
		})
	}
}

// The end of a child that needs no readiness is never taken for a failed start,
// however soon it comes and whatever waits before it.
func TestEndAtOnceIsNoFailedStart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		list := make([]tree.Child, 3000)
		for i := range list {
			list[i] = tree.Child{Name: strconv.Itoa(i), Service: onStart(func(_ context.Context, n int) error {
				if n == 1 {
					return errBoom
				}
				return nil
			})}
		}
		w := start(t, tree.Spec{Intensity: unlimited, Children: list})
		for _, n := range w.node("root").Children {
			require.Equal(t, tree.Running, n.State)
			require.Equal(t, 2, n.Incarnation)
		}
	})
}
