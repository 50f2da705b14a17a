package treetest

import (
	"context"
	"runtime"
	"sync"
	"time"

	proto "github.com/asynkron/protoactor-go/actor"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/internal/inside"
)

// faults are what is in store for the children, by path.
type faults struct {
	mu       sync.Mutex
	runs     map[string]*run // the last one, by path
	began    chan struct{}   // closed when there is another
	refusing []*run
	plan     map[string]*plan
}

// plan is for the starts to come.
type plan struct {
	fail  int // so many
	err   error
	delay time.Duration
}

func (f *faults) init() {
	f.runs, f.plan, f.began = map[string]*run{}, map[string]*plan{}, make(chan struct{})
}

// run is the last run of the child at path, or nil, and what tells of another one.
func (f *faults) run(path string) (*run, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.runs[path], f.began
}

// run is an incarnation that can be hurt.
type run struct {
	inside.Cell
	outer  context.Context // the supervisor's
	ctx    context.Context // the child's
	cancel context.CancelCauseFunc
	actor  bool
	delay  time.Duration
	late   *time.Timer

	mu      sync.Mutex
	fault   func() error // what the incarnation does when it ends
	hung    bool         // beats are not passed on
	refuses chan struct{}
}

// next is what the start of path is to do.
func (f *faults) next(ctx context.Context, isActor bool) (r *run, fail error) {
	r = &run{Cell: inside.From(ctx), outer: ctx, actor: isActor}
	r.ctx, r.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	f.mu.Lock()
	defer f.mu.Unlock()
	if p := f.plan[r.Path()]; p != nil {
		if p.fail > 0 {
			p.fail--
			return nil, p.err
		}
		r.delay = p.delay
	}
	f.runs[r.Path()] = r
	close(f.began)
	f.began = make(chan struct{})
	return r, nil
}

// serve is the Serve of what can be hurt. The service has a context of its own,
// which a fault ends, and which the end of the supervisor's ends unless the child
// refuses.
func (f *faults) serve(outer context.Context, svc actor.Service) error {
	if inside.From(outer) == nil {
		return svc.Serve(outer)
	}
	r, fail := f.next(outer, false)
	if fail != nil {
		return fail
	}
	defer context.AfterFunc(outer, r.pass)()
	defer r.over()
	err := svc.Serve(inside.With(r.ctx, r))
	r.mu.Lock()
	fault := r.fault
	r.mu.Unlock()
	if fault != nil {
		return fault()
	}
	return err
}

// pass hands the request to stop on, when the child does not refuse.
func (r *run) pass() {
	r.mu.Lock()
	refuses := r.refuses
	r.mu.Unlock()
	if refuses != nil {
		<-refuses
	}
	r.cancel(context.Cause(r.outer))
}

// over is the end of the incarnation.
func (r *run) over() {
	r.cancel(nil)
	r.release()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.late != nil {
		r.late.Stop()
	}
}

// Unwrap is the supervisor's cell.
func (r *run) Unwrap() inside.Cell { return r.Cell }

// Ready may come later than it was called.
func (r *run) Ready() {
	if r.delay == 0 {
		r.Cell.Ready()
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.late == nil {
		r.late = time.AfterFunc(r.delay, r.Cell.Ready)
	}
}

// Beat is not heard of a child that hangs.
func (r *run) Beat() {
	r.mu.Lock()
	hung := r.hung
	r.mu.Unlock()
	if !hung {
		r.Cell.Beat()
	}
}

func (r *run) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hung = false
	if r.refuses != nil {
		close(r.refuses)
		r.refuses = nil
	}
}

func (f *faults) releaseAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.plan = map[string]*plan{}
	for _, r := range f.refusing {
		r.release()
	}
}

// fault is the message that hurts an actor.
type fault struct{ do func() error }

// decorate puts what hurts an actor between it and the supervisor's guard.
func (f *faults) decorate(next proto.ContextDecoratorFunc) proto.ContextDecoratorFunc {
	return func(c proto.Context) proto.Context { return &hurting{next(c), f} }
}

type hurting struct {
	proto.Context
	faults *faults
}

// Receive runs in the actor's own goroutine.
func (h *hurting) Receive(env *proto.MessageEnvelope) {
	switch msg := env.Message.(type) {
	case *fault:
		actor.Exit(h, msg.do())
		return
	case *proto.Started:
		r, fail := h.faults.next(actor.Context(h), true)
		if fail != nil {
			actor.Exit(h, fail)
			return
		}
		time.Sleep(r.delay)
	case *proto.Stopping:
		h.faults.refuse(actor.Context(h))
	}
	h.Context.Receive(env)
}

// refuse blocks as long as the actor is to refuse its stop.
func (f *faults) refuse(ctx context.Context) {
	id, _ := actor.Self(ctx)
	f.mu.Lock()
	r := f.runs[id.Path]
	f.mu.Unlock()
	if r == nil || r.Incarnation() != id.Incarnation {
		return
	}
	r.mu.Lock()
	refuses := r.refuses
	r.mu.Unlock()
	if refuses != nil {
		<-refuses
	}
}

func goexit() error {
	runtime.Goexit()
	return nil
}
