package tree

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/coppice-go/coppice/internal/inside"
	"github.com/coppice-go/coppice/tree/internal/machine"
)

// Stop stops the tree in order and returns when it has ended. It is bounded by
// ctx if that has a deadline or is cancelled, and by Runner.StopTimeout
// otherwise; then the stop is forced: what can be killed is killed, and what
// does not end is left and told. The error is nil if everything has ended, and
// matches ErrStuck if not. Stop may be called more than once; the earliest bound
// counts.
//
// A child of the tree that calls it with its own context, or one made of it, is
// stopped with the others. That ends its call, with the cause of ctx as the error,
// and does not force the stop.
func (t *Tree) Stop(ctx context.Context) (Report, error) {
	ctx = orBackground(ctx)
	bound := t.runner.StopTimeout
	if deadline, ok := ctx.Deadline(); ok {
		bound = time.Until(deadline)
	}
	t.beginStop(nil, bound)
	caller := t.callerOf(ctx)
	if caller == nil {
		defer context.AfterFunc(ctx, t.force)()
		<-t.ended
	} else if !t.endsBefore(ctx) {
		cause := context.Cause(ctx)
		if cause != context.Cause(caller) { // it has not ended with the child
			t.force()
		}
		return Report{}, fmt.Errorf("stop %s: %w", t.root.path, cause)
	}
	return t.report, t.report.Err()
}

// callerOf is the child whose context ctx is, if it runs in t, or in a tree that
// does; else nil.
func (t *Tree) callerOf(ctx context.Context) *incarnation {
	of := func(ctx context.Context) *incarnation {
		i, _ := inside.Origin(inside.From(ctx)).(*incarnation)
		return i
	}
	caller := of(ctx)
	for i := caller; i != nil; i = of(i.child.sup.tree.values) {
		if i.child.sup.tree == t {
			return caller
		}
	}
	return nil
}

// beginStop asks the root to stop, once, and forces that when bound has passed.
func (t *Tree) beginStop(why error, bound time.Duration) {
	t.stopMu.Lock()
	defer t.stopMu.Unlock()
	if t.over {
		return
	}
	now := time.Now()
	if t.began.Load() == nil {
		t.began.Store(&now)
		t.why = why
		t.root.post(machine.Input{Kind: machine.Stop})
	}
	due := now.Add(bound)
	switch {
	case bound == Infinity:
	case t.bound == nil:
		t.bound, t.due = time.AfterFunc(bound, t.force), due
	case due.Before(t.due):
		t.bound.Reset(bound)
		t.due = due
	}
}

// force ends the stop.
func (t *Tree) force() {
	t.beginStop(nil, Infinity)
	t.root.post(machine.Input{Kind: machine.Kill})
}

// finish is the end of the root.
func (t *Tree) finish() {
	t.stuck.wait(lastWait)
	t.workers.close()
	t.askers.close(t)
	t.bus.close()
	t.drain()
	t.held.release()
	t.stopMu.Lock()
	t.over = true
	if t.bound != nil {
		t.bound.Stop()
	}
	if t.unlink != nil {
		t.unlink()
	}
	why := t.why
	t.stopMu.Unlock()
	t.report = t.makeReport()
	t.err = t.root.err()
	if why != nil && t.root.stoppedStarting() {
		t.err = fmt.Errorf("start %s: %w", t.root.path, why)
	}
	if stuck := t.report.Err(); stuck != nil {
		t.err = errors.Join(t.err, stuck)
	}
	close(t.ended)
}
