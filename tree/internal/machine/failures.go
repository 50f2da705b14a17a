package machine

import (
	"time"

	"github.com/coppice-go/coppice/actor"
)

// childEnded decides what follows when a child has ended by itself.
func (m *Machine) childEnded(s *Slot, end actor.End) {
	m.setState(s, Down)
	s.retries.Ran(&s.Spec.Policy, s.ran)
	s.Last = end
	switch {
	case end.Class == actor.ClassIgnore:
		m.drop(s)
	case end.Escalate:
		m.giveUp(s, ByEscalation, end.Err)
	case s.Spec.Restart.Restarts(end.Class == actor.ClassAbnormal):
		m.failed(s, end)
	default:
		m.emit(Event{Kind: NotRestarted, Slot: s, Gen: s.Gen, End: end, Rule: ByRestartType})
		m.drop(s)
		m.autoShutdown(s, end)
	}
}

// failed answers an end that calls for a restart.
func (m *Machine) failed(s *Slot, end actor.End) {
	delay, ok := s.retries.Next(&s.Spec.Policy, m.random(s))
	if !ok {
		m.exhausted(s, end.Err)
		return
	}
	delay = max(delay, end.RetryAfter)
	if m.count(s, end, delay) {
		m.restart(s, end, delay)
	}
}

// count puts one restart into the window. If that is one too many the supervisor
// ends.
func (m *Machine) count(s *Slot, end actor.End, delay time.Duration) bool {
	used, ok := m.window.Add(m.now)
	if !ok {
		m.giveUp(s, ByIntensity, end.Err)
		return false
	}
	m.emit(Event{Kind: RestartPlanned, Slot: s, Gen: s.Gen, End: end, Delay: delay, Used: used, Rule: ByIntensity})
	return true
}

// restart stops what the strategy takes along with s, waits for delay, and
// starts all of it.
func (m *Machine) restart(s *Slot, end actor.End, delay time.Duration) {
	lo, hi := s.pos, s.pos+1
	if !m.cfg.Dynamic {
		lo, hi = m.cfg.Strategy.Affected(s.pos, len(m.kids.list))
	}
	m.setState(s, Waiting)
	m.op = op{kind: opGroup, stops: true, lo: lo, hi: hi, origin: s, delay: delay}
	if hi-lo > 1 {
		m.op.cause = &Cause{Reason: actor.ErrSiblingFailed, Origin: s, Err: end.Err}
	}
}

// giveUp ends the supervisor because of s.
func (m *Machine) giveUp(s *Slot, rule Rule, err error) {
	used := m.window.Used(m.now)
	if rule == ByMaxRestarts {
		used = s.retries.Count()
	}
	m.setState(s, Down)
	m.emit(Event{Kind: GaveUp, Slot: s, Gen: s.Gen, End: s.Last, Rule: rule, Used: used})
	m.drop(s)
	m.end(Outcome{Rule: rule, Child: s.Name, Err: err, Used: used, Abnormal: rule == ByEscalation})
}

// autoShutdown ends the supervisor if the end of s was what it waited for.
func (m *Machine) autoShutdown(s *Slot, end actor.End) {
	if !s.Spec.Significant || m.cfg.AutoShutdown == Never {
		return
	}
	if m.cfg.AutoShutdown == AllSignificant {
		for _, other := range m.kids.list {
			if other != nil && other.Spec.Significant && other.State != Down {
				return
			}
		}
	}
	out := Outcome{Rule: BySignificance, Child: s.Name}
	if end.Class == actor.ClassAbnormal {
		out.Err = end.Err
	}
	m.end(out)
}

// random is in [0,1) and a pure function of the seed, the child and its
// incarnation, so that a machine fed the same inputs does the same.
func (m *Machine) random(s *Slot) float64 {
	x := m.cfg.Seed + uint64(s.Gen)*0x9e3779b97f4a7c15
	for _, c := range []byte(s.Name) {
		x = (x ^ uint64(c)) * 0x100000001b3
	}
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return float64((x^x>>31)>>11) / (1 << 53)
}
