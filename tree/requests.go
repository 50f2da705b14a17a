package tree

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	proto "github.com/asynkron/protoactor-go/actor"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/internal/inside"
	"github.com/coppice-go/coppice/tree/internal/machine"
)

// RequestError says what was asked, of which path, and why it was not done.
type RequestError struct {
	Op   string // such as "terminate child"
	Path string
	Err  error

	started bool // what was asked for is a start, and Err that of its failure
}

func refused(op, path string, err error) *RequestError {
	return &RequestError{Op: op, Path: path, Err: err}
}

func (e *RequestError) Error() string { return fmt.Sprintf("%s %s: %v", e.Op, e.Path, e.Err) }

// Unwrap returns the reason.
func (e *RequestError) Unwrap() error { return e.Err }

// Is makes ErrStartFailed found in the error of a start that has failed.
func (e *RequestError) Is(target error) bool { return e.started && target == ErrStartFailed }

// StartChild adds a child to the supervisor at the path sup, as its last, and
// starts it. It returns when the child is ready. If the start fails the child is
// not kept; if it is ignored it is, unless it is temporary.
//
// Errors: *SpecError, ErrAlreadyStarted, ErrAlreadyPresent, ErrDynamic,
// ErrStartFailed with what made the start fail, and those of every request:
// ErrNotFound, ErrNotSupervisor, ErrSupervisorStopped, ErrWouldDeadlock, and the
// cause of ctx.
//
// A request waits until the supervisor has finished what it is doing and
// answered those that came before. One whose ctx ends while it still waits is
// withdrawn; one that is being carried out goes on. OTP's start_child.
func (t *Tree) StartChild(ctx context.Context, sup string, c Child) error {
	name := c.name()
	op, path := machine.StartChild, sup+"/"+name
	s, err := t.supervisor(sup)
	if err == nil {
		err = c.check(sup, s.spec.AutoShutdown)
	}
	if err != nil {
		return refused(op.String(), path, err)
	}
	k := newChild(s, name, &c, c.Service)
	_, err = t.call(ctx, s, path, &machine.Request{Op: op, Name: name, Child: s.shared(k.machineChild()), Data: k})
	return err
}

// StartInstance adds an instance to the dynamic supervisor at the path sup,
// running what Template.New makes of arg, and returns its path, which ends in a
// name given by the supervisor, such as "#7". The name stays the instance's own
// through its restarts and is not given again. An instance that is ignored before it
// is ready is not kept, and path is then empty; one that does not announce itself has
// been started by then, and is forgotten when it ends.
//
// Errors: ErrNotDynamic, ErrMaxInstances, ErrBadArgument, what New returned, and
// those of StartChild.
func (t *Tree) StartInstance(ctx context.Context, sup string, arg any) (path string, err error) {
	op := machine.StartInstance
	s, err := t.supervisor(sup)
	if err == nil && s.spec.Template == nil {
		err = ErrNotDynamic
	}
	var svc actor.Service
	if err == nil {
		svc, err = s.spec.Template.service(sup, arg)
	}
	if err != nil {
		return "", refused(op.String(), sup, err)
	}
	name := "#" + strconv.FormatInt(s.instances.Add(1), 10)
	k := newChild(s, name, &s.spec.Template.Child, svc)
	a, err := t.call(ctx, s, sup, &machine.Request{Op: op, Name: name, Child: s.shared(k.machineChild()), Data: k})
	if err != nil || a.Gen == 0 {
		return "", err
	}
	return sup + "/" + name, nil
}

// shared returns what the machine is told of a child that is added: most are alike.
func (s *supervisor) shared(c machine.Child) *machine.Child {
	if last := s.lastAdded.Load(); last != nil && *last == c {
		return last
	}
	fresh := new(machine.Child)
	*fresh = c
	s.lastAdded.Store(fresh)
	return fresh
}

// service makes what an instance runs. New is user code and may panic.
func (t *Template) service(sup string, arg any) (svc actor.Service, err error) {
	if t.New == nil {
		if arg != nil {
			return nil, fmt.Errorf("%w: Template.New is nil: no argument is taken", ErrBadArgument)
		}
		return t.Child.Service, nil
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("Template.New: %w", actor.NewPanicError(r))
		}
	}()
	if svc, err = t.New(arg); err != nil {
		return nil, fmt.Errorf("Template.New: %w", err)
	}
	c := t.Child
	c.Service = svc
	return svc, c.checkService(place{sup, "*"})
}

// TerminateChild stops the child, or cancels its coming restart, and keeps its
// spec, so that RestartChild can start it again; a temporary child and an
// instance are forgotten. It returns when the child has ended, and nil if it was
// not running. It does not count as a failure. If the child is stuck the error
// matches ErrStuck; one that is stuck below a supervisor which was terminated is
// told by an event and in the Report. OTP's terminate_child.
func (t *Tree) TerminateChild(ctx context.Context, path string) error {
	return t.ask(ctx, machine.TerminateChild, path)
}

// RestartChild starts a child that is not running, with its restart count at
// zero. For one that is running the error is ErrRunning (see ReplaceChild), for
// one about to be restarted ErrRestarting, for an instance ErrDynamic; if the
// start fails, ErrStartFailed with its error. OTP's restart_child.
func (t *Tree) RestartChild(ctx context.Context, path string) error {
	return t.ask(ctx, machine.RestartChild, path)
}

// ReplaceChild stops the child if it runs and starts it anew, with its restart
// count at zero, whatever state it was in. No sibling is touched. If the start fails,
// the error is ErrStartFailed with its own.
func (t *Tree) ReplaceChild(ctx context.Context, path string) error {
	return t.ask(ctx, machine.ReplaceChild, path)
}

// DeleteChild forgets a child that is not running: ErrRunning and ErrRestarting
// say that it is, or will be. ErrDynamic for an instance. OTP's delete_child.
func (t *Tree) DeleteChild(ctx context.Context, path string) error {
	return t.ask(ctx, machine.DeleteChild, path)
}

// ChildState is a line of WhichChildren.
type ChildState struct {
	Name        string
	State       State
	Incarnation int // of the last start; 0: none yet
	Supervisor  bool
}

// WhichChildren lists the children of the supervisor at the path sup in start
// order, in its turn among the requests, so that it never shows a half-done
// operation. Snapshot and Find do not wait. OTP's which_children, which lists
// the newest first.
func (t *Tree) WhichChildren(ctx context.Context, sup string) ([]ChildState, error) {
	op := machine.WhichChildren
	s, err := t.supervisor(sup)
	if err != nil {
		return nil, refused(op.String(), sup, err)
	}
	a, err := t.call(ctx, s, sup, &machine.Request{Op: op})
	if err != nil {
		return nil, err
	}
	list := make([]ChildState, len(a.Children))
	for i, c := range a.Children {
		list[i] = ChildState{c.Slot.Name, State(c.State), c.Gen, c.Slot.Spec.Supervisor}
	}
	return list, nil
}

// PID returns the address of the child at path in the tree's actor system. It
// stays the same through restarts, of a supervisor above too; messages reach an
// actor's incarnation of the moment. Watching it tells when the child is gone for
// good, or its supervisor has ended. nil: there is no such child, or it has never been
// started. A child that is no actor has an address from the first time it is asked for
// here. A stop of the address asks the child to end by itself, within its grace; past
// that it has failed.
func (t *Tree) PID(path string) *proto.PID {
	if s, err := t.supervisor(path); err == nil {
		return s.pid
	}
	_, pid := t.addressed(path)
	return pid
}

// addressed finds the child at path, if it has an address of its own, and makes that
// known.
func (t *Tree) addressed(path string) (*child, *proto.PID) {
	k, _, _ := t.lookup(path)
	if k == nil || k.cur.Load() == nil || k.supervises() {
		return nil, nil
	}
	pid, _ := k.register()
	return k, pid
}

// System is the actor system the tree lives in.
func (t *Tree) System() *proto.ActorSystem { return t.system }

// Subscribe delivers the events of the tree from now on through a channel that
// holds up to buffer of them (at least 1, at most MaxEventBuffer). Events that find
// it full are dropped and counted, so a slow reader never holds up the tree.
func (t *Tree) Subscribe(buffer int) *Subscription { return t.bus.subscribe(buffer, allEvents) }

func (t *Tree) ask(ctx context.Context, op machine.RequestOp, path string) error {
	s, name, err := t.parent(path)
	if err != nil {
		return refused(op.String(), path, err)
	}
	_, err = t.call(ctx, s, path, &machine.Request{Op: op, Name: name})
	return err
}

// call hands r to s and waits for the answer.
func (t *Tree) call(ctx context.Context, s *supervisor, path string, r *machine.Request) (*machine.Answer, error) {
	ctx = orBackground(ctx)
	fail := func(err error) (*machine.Answer, error) { return nil, refused(r.Op.String(), path, err) }
	if ctx.Err() != nil {
		return fail(context.Cause(ctx))
	}
	if s.waitsFor(ctx) {
		return fail(ErrWouldDeadlock)
	}
	reply, ok := t.replies.Get().(chan *machine.Answer)
	if !ok {
		reply = make(chan *machine.Answer, 1)
	}
	r.Reply = reply
	s.post(machine.Input{Kind: machine.Ask, Request: r})
	var a *machine.Answer
	select {
	case a = <-reply:
	case <-ctx.Done():
		s.post(machine.Input{Kind: machine.Withdraw, Request: r})
		return fail(context.Cause(ctx))
	case <-s.done:
		select {
		case a = <-reply:
		default:
			return fail(ErrSupervisorStopped)
		}
	}
	t.replies.Put(reply) // only one answer comes
	if a.Err != nil {
		err := refused(r.Op.String(), path, a.Err)
		err.started = a.Failed
		return nil, err
	}
	return a, nil
}

// waitsFor tells whether ctx is that of a child that s is waiting for to be
// ready, directly or in a supervisor below.
func (s *supervisor) waitsFor(ctx context.Context) bool {
	i, ok := inside.Origin(inside.From(ctx)).(*incarnation)
	if !ok || !i.child.announces || i.saidReady.Load() || i.child.sup.tree != s.tree {
		return false
	}
	below, ok := strings.CutPrefix(i.Path(), s.path+"/")
	if !ok {
		return false
	}
	name, _, _ := strings.Cut(below, "/")
	s.mu.Lock()
	defer s.mu.Unlock()
	slot := s.m.Slot(name)
	return slot != nil && slot.State == machine.Starting
}

// supervisor finds the running supervisor at path.
func (t *Tree) supervisor(path string) (*supervisor, error) {
	if path == t.root.path {
		return t.root.alive()
	}
	s, name, err := t.parent(path)
	if err != nil {
		return nil, err
	}
	return s.below(name)
}

func (s *supervisor) alive() (*supervisor, error) {
	select {
	case <-s.done:
		return nil, ErrSupervisorStopped
	default:
		return s, nil
	}
}

// parent finds the supervisor of the child at path, from the root down.
func (t *Tree) parent(path string) (s *supervisor, name string, err error) {
	root, rest, ok := strings.Cut(path, "/")
	if !ok || root != t.root.path {
		return nil, "", ErrNotFound
	}
	s, err = t.root.alive()
	for err == nil {
		if name, rest, ok = strings.Cut(rest, "/"); !ok {
			return s, name, nil
		}
		s, err = s.below(name)
	}
	return nil, "", err
}

// below finds the running supervisor that is the child of that name.
func (s *supervisor) below(name string) (*supervisor, error) {
	k, _, err := s.child(name)
	switch {
	case err != nil:
		return nil, err
	case !k.supervises():
		return nil, ErrNotSupervisor
	}
	n := k.nested.Load()
	if n == nil {
		return nil, ErrSupervisorStopped
	}
	return n.alive()
}

// lookup finds the child at path, running or not.
func (t *Tree) lookup(path string) (*child, *machine.Slot, error) {
	s, name, err := t.parent(path)
	if err != nil {
		return nil, nil, err
	}
	return s.child(name)
}

func (s *supervisor) child(name string) (*child, *machine.Slot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	slot := s.m.Slot(name)
	if slot == nil {
		return nil, nil, ErrNotFound
	}
	return s.childOf(slot), slot, nil
}
