package machine

import (
	"fmt"
	"slices"
	"time"

	"github.com/coppice-go/coppice/actor"
)

// end begins the supervisor's own end: whatever is in progress is bounded and
// taken over, and all children are stopped.
func (m *Machine) end(out Outcome) {
	cur := m.beginEnd(out)
	switch {
	case m.cfg.Dynamic:
		m.endAllAtOnce()
	case cur != nil:
		m.bringDown(cur)
	}
}

// beginEnd refuses what waits and ends the op in progress. It returns the child
// that op was waiting for.
func (m *Machine) beginEnd(out Outcome) (cur *Slot) {
	m.phase, m.outcome = stopping, out
	m.emit(Event{Kind: SupervisorEnding, Rule: out.Rule, Name: out.Child, End: actor.End{Err: out.Err}, Used: out.Used})
	last := m.op
	m.op = op{kind: opEnd, stops: true, hi: len(m.kids.list), cause: &Cause{Reason: actor.ErrStopping, Err: out.Err}}
	if last.req != nil {
		m.answer(last.req, ErrStopped)
	}
	for it, ok := m.queue.pop(); ok; it, ok = m.queue.pop() {
		if it.req != nil {
			m.answer(it.req, ErrStopped)
		}
	}
	m.ahead = queue{}
	return last.cur
}

// bringDown sees to it that s has no incarnation; the op waits if that takes
// time.
func (m *Machine) bringDown(s *Slot) {
	s.failing = m.failingIn(s)
	switch s.State {
	case Waiting:
		m.setState(s, Down)
		if m.cfg.Dynamic && m.op.kind != opReplace {
			m.remove(s)
		}
	case Ended:
		m.settle(s, s.Last)
	case Starting, Running:
		m.stopSlot(s, m.op.cause)
	case Stopping:
		m.await(s)
	}
}

// failingIn keeps the reason of a failure only while the op that deals with it
// is in progress.
func (m *Machine) failingIn(s *Slot) error {
	if m.op.kind == opUnhealthy {
		return s.failing
	}
	return nil
}

func (m *Machine) await(s *Slot) {
	if m.op.concurrent {
		m.op.waiting++
	} else {
		m.op.cur = s
	}
}

// stopSlot asks s to stop and has the op wait for its end.
func (m *Machine) stopSlot(s *Slot, c *Cause) {
	m.setState(s, Stopping)
	s.killed = false
	m.await(s)
	m.put(Effect{Kind: DoStop, Slot: s, Gen: s.Gen, Cause: c})
	switch t := s.Spec.Shutdown; {
	case t == Brutal && !s.Spec.Killable:
		m.put(Effect{Kind: DoKill, Slot: s, Gen: s.Gen})
		m.put(Effect{Kind: DoAbandon, Slot: s, Gen: s.Gen})
		m.stopped(s, actor.End{Class: actor.ClassAbnormal, Err: actor.ErrKilled})
	case t == Brutal:
		m.killSlot(s)
	case t != Infinity && !m.op.concurrent:
		m.arm(s, t)
	}
}

// killSlot uses force. A supervisor is not given up: its own end is bounded.
func (m *Machine) killSlot(s *Slot) {
	s.killed = true
	m.put(Effect{Kind: DoKill, Slot: s, Gen: s.Gen})
	if !s.Spec.Supervisor && !m.op.concurrent {
		m.arm(s, KillWait)
	}
}

// graceOverFor is the end of what s was given to stop.
func (m *Machine) graceOverFor(s *Slot) {
	if s.Spec.Killable && !s.killed {
		m.killSlot(s)
		return
	}
	end := actor.End{Class: actor.ClassAbnormal, Err: actor.ErrStuck}
	m.emit(Event{Kind: ChildStuck, Slot: s, Gen: s.Gen, End: end, Ran: m.now.Sub(s.Since)})
	m.put(Effect{Kind: DoAbandon, Slot: s, Gen: s.Gen})
	s.Stuck = s.Gen
	m.lost = append(m.lost, lost{s, s.Gen})
	m.stopped(s, end)
}

// lost is an incarnation that was given up while alive.
type lost struct {
	slot *Slot
	gen  int
}

// lateEnd is the end of an incarnation that is not the child's any more. One that
// was given up is no longer stuck; any other had been told before.
func (m *Machine) lateEnd(s *Slot, gen int) {
	i := slices.Index(m.lost, lost{s, gen})
	if i < 0 {
		return
	}
	m.lost = slices.Delete(m.lost, i, i+1)
	s.Stuck = 0
	for _, l := range m.lost {
		if l.slot == s {
			s.Stuck = l.gen
		}
	}
}

// stopped is the end of an incarnation that was asked to stop, or its being
// given up.
func (m *Machine) stopped(s *Slot, end actor.End) {
	if m.op.concurrent {
		m.op.waiting--
	} else {
		m.op.cur = nil
	}
	startTimedOut := s.failing != nil && m.op.kind != opUnhealthy
	switch {
	case s.Stuck == s.Gen:
		s.Last, s.HasEnded = end, true
		if m.op.kind == opTerminate {
			m.op.err = actor.ErrStuck
		}
	case !startTimedOut: // else its end is the failure of its start
		m.noteEnd(s, end)
	}
	switch {
	case s.failing != nil && !startTimedOut:
		m.setState(s, Down)
	case startTimedOut:
		err := s.failing
		if end.Class == actor.ClassAbnormal && s.Stuck != s.Gen { // a panic
			err = fmt.Errorf("%w, and when it was stopped: %w", err, end.Err)
		}
		m.startFailed(s, actor.End{Class: actor.ClassStartFailed, Err: err})
	default:
		m.settle(s, end)
	}
}

// settle leaves s down after an end that is not answered by a restart.
func (m *Machine) settle(s *Slot, end actor.End) {
	m.setState(s, Down)
	if end.Class == actor.ClassAbnormal && s.Stuck != s.Gen {
		m.emit(Event{Kind: NotRestarted, Slot: s, Gen: s.Gen, End: end, Rule: ByStop})
	}
	if m.op.kind != opReplace {
		m.drop(s)
	}
}

// endAllAtOnce stops the children of a dynamic supervisor together, under one
// timer.
func (m *Machine) endAllAtOnce() {
	o := &m.op
	o.concurrent, o.next = true, o.hi-o.lo
	var grace time.Duration
	for _, s := range m.kids.list {
		if s != nil {
			grace = s.Spec.Shutdown
			m.disarm(s)
			m.bringDown(s)
		}
	}
	if grace == Brutal {
		grace = KillWait
	}
	if o.waiting > 0 && grace != Infinity {
		m.armCommon(grace)
	}
}

func (m *Machine) armCommon(d time.Duration) {
	m.token++
	m.op.token, m.op.due = m.token, m.now.Add(d)
	m.put(Effect{Kind: SetTimer, Delay: d, Token: m.token})
}

// graceOver is the end of what all were given to stop.
func (m *Machine) graceOver() {
	wait := false
	for _, s := range m.kids.list {
		switch {
		case s == nil || s.State != Stopping:
		case s.killed && s.Spec.Supervisor:
		default:
			m.graceOverFor(s)
			wait = wait || s.State == Stopping
		}
	}
	if wait {
		m.armCommon(KillWait)
	}
}

// kill ends the supervisor at once: every child is killed, and given up if that
// does not end it soon.
func (m *Machine) kill() {
	if m.phase == ended {
		return
	}
	if m.phase < stopping {
		m.beginEnd(Outcome{Rule: ByRequest})
	}
	o := &m.op
	o.concurrent, o.cur, o.waiting, o.next = true, nil, 0, o.hi-o.lo
	for _, s := range m.kids.list {
		if s == nil {
			continue
		}
		m.disarm(s)
		m.bringDown(s)
		if s.State == Stopping && !s.killed {
			m.killSlot(s)
		}
	}
	if o.waiting > 0 {
		m.armCommon(ForceWait)
	}
}
