// Package inside is the seam between a supervisor and the code it runs: the
// supervisor puts a Cell into the child's context, and the functions of package
// actor find it there.
package inside

import (
	"context"
	"time"
)

// Cell is what one incarnation of a child can reach of its supervisor. All
// methods may be called from any goroutine, and after the incarnation's end,
// when they do nothing.
type Cell interface {
	Path() string
	Incarnation() int
	// Ready marks the incarnation as started. Only the first call counts.
	Ready()
	// Beat resets the heartbeat deadline.
	Beat()
	// Extend gives the incarnation d from now on to be ready, or to end.
	Extend(d time.Duration)
	// Handle has h answer requests; nil: nobody.
	Handle(h func(ctx context.Context, request any) (any, error))
	// SetStatus stores what the snapshot shows of the incarnation.
	SetStatus(status any)
	// Killed is closed when the grace of a stop has passed, or at once for a
	// brutal one.
	Killed() <-chan struct{}
	// Hold opens what all children of the tree share under key, once; it is
	// released when the tree has ended. It returns false if that has been.
	Hold(key any, open func() (release func())) bool
	// Tree is the *tree.Tree the child belongs to.
	Tree() any
}

// Origin is the supervisor's own Cell behind one that wraps it by a method Unwrap.
func Origin(c Cell) Cell {
	for {
		w, ok := c.(interface{ Unwrap() Cell })
		if !ok {
			return c
		}
		c = w.Unwrap()
	}
}

type key struct{}

// Key is the context key under which a Cell is found.
var Key any = key{}

// With returns a context that carries c.
func With(ctx context.Context, c Cell) context.Context {
	return context.WithValue(ctx, Key, c)
}

// From returns the Cell of ctx, or nil outside a tree. A nil ctx is outside.
func From(ctx context.Context) Cell {
	if ctx == nil {
		return nil
	}
	c, _ := ctx.Value(Key).(Cell)
	return c
}
