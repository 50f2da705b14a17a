package machine

import (
	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
)

func (m *Machine) start(s *Slot) {
	m.setState(s, Starting)
	s.Gen++
	s.isReady = false
	m.op.cur = s
	m.emit(Event{Kind: ChildStarting, Slot: s, Gen: s.Gen})
	m.put(Effect{Kind: DoStart, Slot: s, Gen: s.Gen})
	if t := s.Spec.StartTimeout; t > 0 && t != Infinity {
		m.arm(s, t)
	}
}

func (m *Machine) ready(s *Slot, gen int) {
	if s.State != Starting || s.Gen != gen {
		return
	}
	m.setState(s, Running)
	s.Started, s.isReady = m.now, true
	if m.op.kind == opGroup {
		s.Restarts++
	}
	m.op.cur = nil
	m.emit(Event{Kind: ChildStarted, Slot: s, Gen: gen})
}

// startEnded is an end before ready.
func (m *Machine) startEnded(s *Slot, end actor.End) {
	if end.Class != actor.ClassIgnore {
		m.startFailed(s, end)
		return
	}
	m.setState(s, Down)
	m.op.cur = nil
	m.emit(Event{Kind: ChildIgnored, Slot: s, Gen: s.Gen})
	m.drop(s)
}

func (m *Machine) startFailed(s *Slot, end actor.End) {
	m.setState(s, Down)
	m.op.cur = nil
	s.Last, s.HasEnded, s.failing = end, true, nil
	m.emit(Event{Kind: StartFailed, Slot: s, Gen: s.Gen, End: end})
	switch m.op.kind {
	case opInit:
		m.end(Outcome{Rule: ByStart, Child: s.Name, Err: end.Err})
	case opGroup:
		m.retryLater(s, end)
	case opStart, opReplace:
		m.op.err = end.Err
		if op := m.op.req.Op; op == StartChild || op == StartInstance || m.cfg.Dynamic {
			m.remove(s)
		}
	}
}

// retryLater plans the next try after a restart in which s failed to start. The
// children after s stay down until then.
func (m *Machine) retryLater(s *Slot, end actor.End) {
	if end.Escalate {
		m.giveUp(s, ByEscalation, end.Err)
		return
	}
	delay, ok := s.retries.Next(&s.Spec.Policy, m.random(s))
	if !ok {
		m.exhausted(s, end.Err)
		return
	}
	m.setState(s, Waiting)
	m.op = op{}
	if delay = max(delay, end.RetryAfter); delay == 0 {
		// As in OTP the try comes, and counts, behind what is waiting already.
		m.queue.push(item{kind: itemRetry, slot: s, token: s.token})
		return
	}
	if m.count(s, end, delay) {
		m.arm(s, delay)
	}
}

// retry is a try that has become due.
func (m *Machine) retry(s *Slot, counted bool) {
	if counted || m.count(s, s.Last, 0) {
		m.restart(s, s.Last, 0)
	}
}

// exhausted answers a failure for which the child has no restart left.
func (m *Machine) exhausted(s *Slot, err error) {
	if s.Spec.Policy.Exhausted == strategies.EndSupervisor {
		m.giveUp(s, ByMaxRestarts, err)
		return
	}
	m.setState(s, Down)
	m.emit(Event{Kind: GaveUp, Slot: s, Gen: s.Gen, End: s.Last, Rule: ByMaxRestarts, Used: s.retries.Count()})
	if m.cfg.Dynamic {
		m.remove(s)
	}
}
