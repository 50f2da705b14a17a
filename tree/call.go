package tree

import (
	"context"
	"errors"
	"fmt"

	proto "github.com/asynkron/protoactor-go/actor"

	"github.com/coppice-go/coppice/actor"
)

var (
	// ErrNotRunning is the answer for a child that has no living incarnation.
	ErrNotRunning = errors.New("not running")
	// ErrNoHandler is the answer for a child that takes no requests.
	ErrNoHandler = errors.New("takes no requests")
	// ErrNoAnswer is the answer for an actor that has not responded in time.
	ErrNoAnswer = errors.New("no answer in time")
)

// Call has the child at path answer a request, by the handler that it has given to
// actor.Handle; those of processes are in package proc. To a message-driven actor the
// request is a message, and the answer its first response. What requests there are is
// the child's business.
//
// Call does not wait for the supervisor, whatever that is doing. It ends with ctx, and
// what handles the request may still be at work then. An actor has Runner.CallTimeout
// if ctx has no deadline, and one that ends before it has responded ends the call, both
// as in OTP's gen_server:call. An actor that calls itself waits for itself. A mailbox of
// the actor's own that blocks keeps one goroutine, also after the end of the tree.
//
// Errors: ErrNotFound, ErrSupervisorStopped, ErrNoHandler, ErrNoAnswer, ErrNotRunning,
// of an actor that has ended since it was asked with its error; what the handler
// returned, *actor.PanicError and actor.ErrGoexit, also of a mailbox of the actor's own,
// the cause of ctx; all in a *RequestError.
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
	case k.props != nil:
		return i.request(ctx, request)
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

// noAnswer is what comes instead of an actor's answer.
type noAnswer struct{ err error }

// request has the incarnation, an actor, answer.
func (i *incarnation) request(ctx context.Context, request any) (any, error) {
	t := i.child.sup.tree
	pid := i.pid.Load()
	if pid == nil {
		return nil, ErrNotRunning
	}
	_, bounded := ctx.Deadline()
	a, sender, err := t.askers.take(t, !bounded)
	if err != nil {
		return nil, err
	}
	defer t.askers.giveBack(t, a)
	gone := i.gone()
	if i.foreign {
		i.sendForeign(ctx, gone, pid, request, a, sender)
	} else {
		t.send(pid, request, a, sender)
	}
	var answer any
	answered := true
	select {
	case answer = <-a.answer:
	case <-ctx.Done():
		err = context.Cause(ctx)
		answer, answered = a.close()
	case <-gone:
		err = i.whyGone()
		answer, answered = a.close()
	}
	if !answered {
		return nil, err
	}
	switch v := answer.(type) {
	case noAnswer:
		return nil, v.err
	case *proto.DeadLetterResponse: // of the actor, or of one that was to answer for it
		return nil, fmt.Errorf("%w: %w", ErrNotRunning, proto.ErrDeadLetter)
	}
	return answer, nil
}

// send may run user code: where there is nobody, what subscribes to dead letters.
func (t *Tree) send(to *proto.PID, request any, a *asker, sender *proto.PID) {
	err := actor.ErrGoexit
	defer func() {
		if r := recover(); r != nil {
			err = actor.NewPanicError(r)
		}
		if err != nil && !a.take(sender, noAnswer{err}) {
			t.log.Error("request failed", "to", to.Id, "error", err)
		}
	}()
	t.sender.RequestWithCustomSender(to, request, sender)
	err = nil
}

// sendForeign sends to an actor with a mailbox or dispatcher of its own, which is user
// code and may block. Only one does so at a time; others wait, for as long as they
// would for the answer.
func (i *incarnation) sendForeign(ctx context.Context, gone <-chan struct{}, to *proto.PID, request any, a *asker, sender *proto.PID) {
	sending := i.sending()
	select {
	case sending <- struct{}{}:
		go func() {
			defer func() { <-sending }()
			i.child.sup.tree.send(to, request, a, sender)
		}()
	case late := <-a.answer:
		a.answer <- late
	case <-ctx.Done():
	case <-gone:
	}
}

func (i *incarnation) sending() chan struct{} {
	i.mu.Lock()
	defer i.mu.Unlock()
	r := i.more()
	if r.sending == nil {
		r.sending = make(chan struct{}, 1)
	}
	return r.sending
}

// gone is closed when the incarnation is over, or given up.
func (i *incarnation) gone() <-chan struct{} {
	i.mu.Lock()
	defer i.mu.Unlock()
	r := i.more()
	if r.gone == nil {
		r.gone = make(chan struct{})
		if i.over.Load() || i.disowned {
			close(r.gone)
		}
	}
	return r.gone
}

// tellGone is for those that wait for gone. The lock is held.
func (i *incarnation) tellGone() {
	if r := i.rare; r != nil && r.gone != nil && !i.disowned {
		close(r.gone)
	}
}

// whyGone is the end of the incarnation as an answer.
func (i *incarnation) whyGone() error {
	i.mu.Lock()
	over, err := i.over.Load(), i.err // whose methods are user code
	i.mu.Unlock()
	switch {
	case !over:
		return fmt.Errorf("%w: incarnation %d was given up: %w", ErrNotRunning, i.gen, ErrStuck)
	case err != nil:
		return fmt.Errorf("%w: incarnation %d has ended: %w", ErrNotRunning, i.gen, err)
	}
	return fmt.Errorf("%w: incarnation %d has ended", ErrNotRunning, i.gen)
}
