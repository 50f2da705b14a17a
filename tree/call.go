package tree

import (
	"context"
	"errors"

	"github.com/coppice-go/coppice/actor"
)

var (
	// ErrNotRunning is the answer for a child that has no living incarnation.
	ErrNotRunning = errors.New("not running")
	// ErrNoHandler is the answer for a child that takes no requests.
	ErrNoHandler = errors.New("takes no requests")
)

// Call has the child at path answer a request, by the handler that it has given to
// actor.Handle. What requests there are is the child's business; those of processes
// are in package proc. It does not wait for the supervisor, whatever that is doing.
// When ctx ends so does Call, and the handler may still be at work. To an actor,
// send a message to PID instead.
//
// Errors: ErrNotFound, ErrSupervisorStopped, ErrNotRunning, ErrNoHandler, what the
// handler returned, *actor.PanicError and actor.ErrGoexit, the cause of ctx; all in
// a *RequestError.
func (t *Tree) Call(ctx context.Context, path string, request any) (any, error) {
	answer, err := t.handle(orBackground(ctx), path, request)
	if err != nil {
		return nil, refused("call", path, err)
	}
	return answer, nil
}

func (t *Tree) handle(ctx context.Context, path string, request any) (any, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if path == t.root.path {
		return nil, ErrNoHandler
	}
	k, _, err := t.lookup(path)
	if err != nil {
		return nil, err
	}
	i := k.cur.Load()
	switch {
	case k.supervises():
		return nil, ErrNoHandler
	case i == nil || i.over.Load():
		return nil, ErrNotRunning
	}
	h := i.handlerNow()
	if h == nil {
		return nil, ErrNoHandler
	}
	type result struct {
		answer any
		err    error
	}
	done := make(chan result, 1)
	go func() {
		r := result{err: actor.ErrGoexit}
		defer func() {
			if v := recover(); v != nil {
				r.err = actor.NewPanicError(v)
			}
			done <- r
		}()
		r.answer, r.err = h(ctx, request)
	}()
	select {
	case r := <-done:
		return r.answer, r.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (i *incarnation) handlerNow() func(context.Context, any) (any, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.rare == nil {
		return nil
	}
	return i.rare.handler
}

// Handle is the Cell's.
func (i *incarnation) Handle(h func(context.Context, any) (any, error)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.more().handler = h
}
