package tree

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
)

func TestSmoke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		tr, err := Runner{Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))}.Start(t.Context(), Spec{Name: "shop", Strategy: strategies.OneForAll, Children: []Child{
			{Name: "a", Service: actor.Func(func(ctx context.Context) error { <-ctx.Done(); t.Log(context.Cause(ctx)); return nil })},
			{Name: "b", Service: actor.Func(func(ctx context.Context) error {
				n++
				if n == 1 {
					time.Sleep(time.Second)
					return errors.New("boom")
				}
				<-ctx.Done()
				return nil
			})},
			{Name: "sub", Service: Spec{Children: []Child{{Name: "x", Service: actor.Func(func(ctx context.Context) error { <-ctx.Done(); return nil })}}}},
		}})
		require.NoError(t, err)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		s, err := tr.Snapshot(t.Context())
		require.NoError(t, err)
		t.Log("\n" + s.String())
		rep, err := tr.Stop(t.Context())
		require.NoError(t, err)
		t.Log(rep)
		require.NoError(t, tr.Wait(t.Context()))
	})
}
