package strategies

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// supervised is one supervisor under an ActorStrategy. It is also the process
// that watches the supervisor and the children it has records of, which is how
// it learns that they are gone.
//
// The lock is never held while protoactor is called.
type supervised struct {
	strategy   *ActorStrategy
	system     *actor.ActorSystem
	supervisor actor.Supervisor
	ctx        actor.Context // the supervisor; nil if it is a guardian
	pid        *actor.PID    // of the watching process

	order []*actor.PID // the children in start order; touched by the supervisor's goroutine only

	mu        sync.Mutex
	window    Window
	kids      map[*actor.PID]*kid // by identity: a newer actor of the same name has another PID value
	alarms    map[*alarm]struct{}
	escalated bool // a failure was just handed up
	gone      bool // the supervisor is stopping or has stopped
}

// kid is a child that has failed or was taken along.
type kid struct {
	pid     *actor.PID
	process actor.Process
	retries Retries
	since   time.Time // of the last restart
	plan    *plan     // the restart it waits for
}

type failure struct {
	child           *actor.PID
	reason, message any
}

func newSupervised(a *ActorStrategy, system *actor.ActorSystem, supervisor actor.Supervisor) *supervised {
	s := &supervised{
		strategy: a, system: system, supervisor: supervisor,
		window: NewWindow(a.Intensity),
		kids:   make(map[*actor.PID]*kid),
		alarms: make(map[*alarm]struct{}),
	}
	s.ctx, _ = supervisor.(actor.Context)
	s.pid, _ = system.ProcessRegistry.Add(s, "strategy"+system.ProcessRegistry.NextId())
	return s
}

// SendSystemMessage implements actor.Process.
func (s *supervised) SendSystemMessage(_ *actor.PID, message any) {
	t, ok := message.(*actor.Terminated)
	switch {
	case !ok:
	case s.ctx != nil && t.Who.Equal(s.ctx.Self()):
		s.drop()
	default:
		s.remove(t.Who)
	}
}

// SendUserMessage implements actor.Process.
func (s *supervised) SendUserMessage(*actor.PID, any) {}

// Stop implements actor.Process.
func (s *supervised) Stop(*actor.PID) {}

// drop ends s.
func (s *supervised) drop() {
	s.mu.Lock()
	s.gone = true
	alarms := s.clear()
	s.mu.Unlock()
	stop(alarms)
	s.strategy.forget(s)
	s.system.ProcessRegistry.Remove(s.pid)
}

// clear gives up all plans and returns their alarms, to be stopped. s is locked.
func (s *supervised) clear() map[*alarm]struct{} {
	alarms := s.alarms
	s.alarms = make(map[*alarm]struct{})
	clear(s.kids)
	return alarms
}

// remove forgets a child that has stopped.
func (s *supervised) remove(pid *actor.PID) {
	s.mu.Lock()
	k := s.kids[pid]
	delete(s.kids, pid)
	var idle *alarm
	if k != nil {
		idle = s.join(k, nil)
	}
	s.mu.Unlock()
	idle.stop()
}

// stopping tells whether the supervisor stops, and sees to it that s hears of
// its end otherwise: an actor that stops answers a Watch at once.
func (s *supervised) stopping() bool {
	if invoker, ok := s.ctx.(actor.MessageInvoker); ok {
		invoker.InvokeSystemMessage(&actor.Watch{Watcher: s.pid})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gone
}

func (s *supervised) report(f failure, d actor.Directive) {
	s.system.EventStream.Publish(&actor.SupervisorEvent{Child: f.child, Reason: f.reason, Directive: d})
}

func (s *supervised) resume(f failure) {
	s.mu.Lock()
	k := s.kids[f.child]
	waits := s.escalated || k != nil && k.plan != nil
	s.mu.Unlock()
	if waits {
		return
	}
	s.report(f, actor.ResumeDirective)
	s.supervisor.ResumeChildren(f.child)
}

func (s *supervised) stop(f failure) {
	s.report(f, actor.StopDirective)
	s.supervisor.StopChildren(f.child)
}

// escalate hands a failure up. Those that arrive with it go up with it.
func (s *supervised) escalate(f failure) {
	if s.ctx == nil {
		s.stop(f)
		return
	}
	s.mu.Lock()
	if s.escalated {
		s.mu.Unlock()
		return
	}
	s.escalated = true
	alarms := s.clear()
	s.mu.Unlock()
	stop(alarms)
	s.supervisor.EscalateFailure(f.reason, f.message)
	s.after(settle, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.escalated = false
		s.window = NewWindow(s.strategy.Intensity)
	})
}

// restart counts a failure and plans what follows from it.
func (s *supervised) restart(f failure) {
	if s.ctx == nil && s.strategy.Strategy != OneForOne {
		s.stop(f)
		return
	}
	affected := s.affected(f.child)
	if affected == nil {
		return // it has stopped meanwhile
	}
	p := &plan{s: s}
	switch p.add(f.child, affected) {
	case planned:
		s.report(f, actor.RestartDirective)
		p.begin()
	case waiting:
		s.report(f, actor.RestartDirective)
	case exhausted:
		s.stop(f)
	case exceeded:
		s.escalate(f)
	}
}

// affected returns new records of those that the failure of a child touches, in
// start order; nil if the child is gone.
func (s *supervised) affected(child *actor.PID) []*kid {
	pids := []*actor.PID{child}
	if s.strategy.Strategy != OneForOne {
		s.arrange()
		if i := slices.Index(s.order, child); i >= 0 {
			lo, hi := s.strategy.Strategy.Affected(i, len(s.order))
			pids = s.order[lo:hi]
		}
	}
	kids := make([]*kid, 0, len(pids))
	found := false
	for _, pid := range pids {
		if process, ok := s.system.ProcessRegistry.Get(pid); ok {
			kids = append(kids, &kid{pid: pid, process: process})
			found = found || pid == child
		}
	}
	if !found {
		return nil
	}
	return kids
}

// arrange brings order up to date: those still there keep their places, new ones
// follow.
func (s *supervised) arrange() {
	children := s.supervisor.Children()
	fresh := make(map[*actor.PID]bool, len(children))
	for _, pid := range children {
		fresh[pid] = true
	}
	s.order = slices.DeleteFunc(s.order, func(pid *actor.PID) bool {
		still := fresh[pid]
		delete(fresh, pid)
		return !still
	})
	for _, pid := range children {
		if fresh[pid] {
			s.order = append(s.order, pid)
		}
	}
}

type verdict uint8

const (
	planned   verdict = iota
	waiting           // for a restart that was planned before
	exhausted         // the child stays down
	exceeded          // the supervisor gives up
)

// count says what a failure of k leads to, and after which delay. s is locked.
func (s *supervised) count(k *kid, now time.Time) (time.Duration, verdict) {
	policy := &s.strategy.Policy
	if !k.since.IsZero() {
		k.retries.Ran(policy, now.Sub(k.since))
	}
	if k.retries.Exhausted(policy) {
		if policy.Exhausted == StayDown {
			return 0, exhausted
		}
		return 0, exceeded
	}
	if _, ok := s.window.Add(now); !ok {
		return 0, exceeded
	}
	delay, _ := k.retries.Next(policy, rand.Float64())
	return delay, planned
}
