package actor

import (
	"context"
	"time"

	"github.com/coppice-go/coppice/internal/inside"
)

// Identity is who a child is.
type Identity struct {
	Path        string // from the root, such as "shop/workers/w3"
	Incarnation int    // 1 for the first start; see tree.Node
}

// Self returns who the caller is. ok is false outside a tree.
func Self(ctx context.Context) (id Identity, ok bool) {
	c := inside.From(ctx)
	if c == nil {
		return Identity{}, false
	}
	return Identity{c.Path(), c.Incarnation()}, true
}

// Ready tells the supervisor that the child can serve: it is started, and the
// next child may be. Only the first call of an incarnation counts. The
// supervisor waits for it if the child's spec has a StartTimeout or its Service
// is an Announcer; otherwise the call changes nothing.
func Ready(ctx context.Context) {
	if c := inside.From(ctx); c != nil {
		c.Ready()
	}
}

// Beat tells the supervisor that the child is alive. A child whose spec has a
// Heartbeat must call it at least that often once it is ready, or it is treated
// as failed.
func Beat(ctx context.Context) {
	if c := inside.From(ctx); c != nil {
		c.Beat()
	}
}

// ExtendTimeout tells the supervisor that the child needs longer than its
// StartTimeout to be ready, or than its Shutdown to end, if that is what it is
// waited for: until d from now, but never less than the spec gives it. A child may
// call it as often as it likes. The last call counts, also if it takes back what one
// before it asked for; of children that are stopped together, who asks for the most.
// A d that is not positive changes nothing. It does not extend a Heartbeat, nor the
// bound of a stop of the whole tree.
func ExtendTimeout(ctx context.Context, d time.Duration) {
	if c := inside.From(ctx); c != nil {
		c.Extend(d)
	}
}

// Handler answers requests. It is called from a goroutine of its own for each, so
// at the same time as others and as Serve. ctx is that of who asks.
type Handler func(ctx context.Context, request any) (any, error)

// Handle has h answer the requests that reach the child by its path, through
// tree.Call, from now until the incarnation ends or Handle is called again. Nil:
// nobody answers.
func Handle(ctx context.Context, h Handler) {
	if c := inside.From(ctx); c != nil {
		c.Handle(h)
	}
}

// Status is what a child may show of itself in snapshots. The zero value of a
// field shows nothing.
type Status struct {
	PID  int         `json:"pid,omitempty"`
	Exit *ExitStatus `json:"exit,omitempty"` // of a process that has ended
	Text string      `json:"text,omitempty"`

	// LastLines returns the last lines of its output, the oldest first. It is called
	// by who reads a snapshot, also after the end, and must not wait for anything.
	LastLines func() []string `json:"-"`
}

// SetStatus shows s in snapshots from now on. It outlives the incarnation that
// set it, until the next one sets its own; only the PID is shown no longer than
// that lives.
func SetStatus(ctx context.Context, s Status) {
	if c := inside.From(ctx); c != nil {
		c.SetStatus(s)
	}
}

// Killed returns a channel that is closed when the child has used up its grace
// after it was asked to stop, or, under a brutal stop, as soon as it is asked.
// A child that can end itself by force does so then. It is nil outside a tree.
func Killed(ctx context.Context) <-chan struct{} {
	if c := inside.From(ctx); c != nil {
		return c.Killed()
	}
	return nil
}
