package machine

import "time"

// extend gives a child that is waited for d from now on, if that is beyond what it
// was given at first. The last word of a child counts, as with systemd; of those
// that are stopped together, the longest.
func (m *Machine) extend(s *Slot, gen int, d time.Duration) {
	due := m.now.Add(d)
	switch {
	case s.Gen != gen || s.killed && s.State == Stopping:
	case s.State == Stopping && m.op.concurrent:
		if m.op.token != 0 && due.After(m.op.due) {
			m.armCommon(d)
		}
	case s.armed && (s.State == Starting || s.State == Stopping):
		limit := s.Spec.StartTimeout
		if s.State == Stopping {
			limit = s.Spec.Shutdown
		}
		m.disarm(s)
		m.token++
		s.token = m.token
		m.arm(s, max(d, s.Since.Add(limit).Sub(m.now)))
	}
}
