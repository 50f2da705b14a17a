package actor_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/internal/inside"
)

// cell writes down what it is told.
type cell struct {
	path   string
	told   []any
	killed chan struct{}
}

func (c *cell) Path() string                                     { return c.path }
func (c *cell) Incarnation() int                                 { return 3 }
func (c *cell) Ready()                                           { c.told = append(c.told, "ready") }
func (c *cell) Beat()                                            { c.told = append(c.told, "beat") }
func (c *cell) Extend(d time.Duration)                           { c.told = append(c.told, d) }
func (c *cell) Handle(h func(context.Context, any) (any, error)) { c.told = append(c.told, h != nil) }
func (c *cell) SetStatus(status any)                             { c.told = append(c.told, status) }
func (c *cell) Killed() <-chan struct{}                          { return c.killed }
func (c *cell) Tree() any                                        { return nil }

func (c *cell) Hold(any, func() func()) bool { return false }

// What a child says reaches its supervisor, from any context below its own, and
// after that was cancelled too.
func TestInside(t *testing.T) {
	type key struct{}
	own := func(ctx context.Context) context.Context { return ctx }
	for name, derive := range map[string]func(context.Context) context.Context{
		"own":     own,
		"value":   func(ctx context.Context) context.Context { return context.WithValue(ctx, key{}, 1) },
		"without": context.WithoutCancel,
		"over": func(ctx context.Context) context.Context {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return ctx
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := &cell{path: "shop/db", killed: make(chan struct{})}
			ctx := derive(inside.With(t.Context(), c))
			id, ok := actor.Self(ctx)
			require.True(t, ok)
			require.Equal(t, actor.Identity{Path: "shop/db", Incarnation: 3}, id)
			require.Equal(t, (<-chan struct{})(c.killed), actor.Killed(ctx))
			actor.Ready(ctx)
			actor.Beat(ctx)
			code := 7
			status := actor.Status{PID: 1, Exit: &actor.ExitStatus{Code: code}, Text: "up"}
			actor.SetStatus(ctx, status)
			actor.ExtendTimeout(ctx, time.Minute)
			actor.Handle(ctx, func(context.Context, any) (any, error) { return nil, nil })
			actor.Handle(ctx, nil)
			require.Equal(t, []any{"ready", "beat", status, time.Minute, true, false}, c.told)
		})
	}
}

// A tree inside a child of another: who is asked is the nearest.
func TestInsideTwice(t *testing.T) {
	outer, inner := &cell{path: "outer"}, &cell{path: "inner"}
	ctx := inside.With(inside.With(t.Context(), outer), inner)
	id, _ := actor.Self(ctx)
	require.Equal(t, "inner", id.Path)
	actor.Beat(ctx)
	require.Empty(t, outer.told)
	require.Equal(t, []any{"beat"}, inner.told)
}

// A select may name Killed outside a tree: the case never comes.
func TestKilledOutsideNeverFires(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	select {
	case <-actor.Killed(ctx):
		t.Fatal("killed")
	case <-ctx.Done():
	}
}
