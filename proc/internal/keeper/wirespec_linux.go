package keeper

import "slices"

// spec adds what goes by value: all but Dir and Files.
func (m *message) spec(s Spec) {
	m.b = slices.Grow(m.b, s.room())
	m.string(s.Path)
	m.strings(s.Args)
	m.strings(s.Env)
	m.uint(flag(s.Setup != nil))
	if u := s.Setup; u != nil {
		m.int(u.Umask)
		m.int(u.Nice)
		m.uint(flag(u.OOMScoreAdj != nil))
		if u.OOMScoreAdj != nil {
			m.int(*u.OOMScoreAdj)
		}
		m.uint(uint64(len(u.Limits)))
		for _, l := range u.Limits {
			m.int(l.Resource)
			m.uint(l.Soft)
			m.uint(l.Hard)
		}
		m.uint(flag(u.Credential != nil))
		if c := u.Credential; c != nil {
			m.uint(uint64(c.UID))
			m.uint(uint64(c.GID))
			m.uint(uint64(len(c.Groups)))
			for _, g := range c.Groups {
				m.uint(uint64(g))
			}
		}
		m.strings(u.PIDEnv)
	}
}

// room is enough for nearly every s, so that a message grows once.
func (s *Spec) room() (n int) {
	const length = 3 // of what tells the length of a string
	n = 256 + len(s.Path)
	for _, all := range [...][]string{s.Args, s.Env} {
		for _, v := range all {
			n += length + len(v)
		}
	}
	return n
}

func (m *message) readSpec() Spec {
	s := Spec{Path: m.readString(), Args: m.readStrings(), Env: m.readStrings()}
	if m.readUint() == 0 {
		return s
	}
	u := &Setup{Umask: m.readInt(), Nice: m.readInt()}
	if m.readUint() != 0 {
		u.OOMScoreAdj = new(m.readInt())
	}
	for n := m.readUint(); n > 0 && !m.bad; n-- {
		u.Limits = append(u.Limits, Rlimit{Resource: m.readInt(), Soft: m.readUint(), Hard: m.readUint()})
	}
	if m.readUint() != 0 {
		u.Credential = &Credential{UID: uint32(m.readUint()), GID: uint32(m.readUint())}
		for n := m.readUint(); n > 0 && !m.bad; n-- {
			u.Credential.Groups = append(u.Credential.Groups, uint32(m.readUint()))
		}
	}
	u.PIDEnv = m.readStrings()
	s.Setup = u
	return s
}

func (m *message) int(v int)    { m.uint(uint64(int64(v))) }
func (m *message) readInt() int { return int(int64(m.readUint())) }
