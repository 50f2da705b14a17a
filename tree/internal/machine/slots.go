package machine

// slots holds the children in start order. Removal leaves a hole, so positions
// stay as they are until compact, and both removal and iteration stay cheap.
type slots struct {
	list   []*Slot
	byName map[string]*Slot
	room   []Slot // for static children: one object for all

	active, supervisors int
}

func (l *slots) reserve(n int) {
	if n > 0 {
		l.list, l.byName, l.room = make([]*Slot, 0, n), make(map[string]*Slot, n), make([]Slot, n)
	}
}

// static returns an empty slot.
func (l *slots) static() *Slot {
	if len(l.room) == 0 {
		return new(Slot)
	}
	s := &l.room[0]
	l.room = l.room[1:]
	return s
}

func (l *slots) add(s *Slot) {
	if l.byName == nil {
		l.byName = make(map[string]*Slot)
	}
	s.pos = len(l.list)
	l.list = append(l.list, s)
	l.byName[s.Name] = s
	l.count(s, 1)
	if s.Spec.Supervisor {
		l.supervisors++
	}
}

// count counts s, whose state is about to change or has changed. One that was removed
// does not count.
func (l *slots) count(s *Slot, n int) {
	if s.Active() && !s.removed {
		l.active += n
	}
}

func (l *slots) remove(s *Slot) {
	l.list[s.pos] = nil
	delete(l.byName, s.Name)
	l.count(s, -1)
	if s.Spec.Supervisor {
		l.supervisors--
	}
	s.removed = true
}

// compact closes the holes once they are the greater part. Who reads the old list
// may go on.
func (l *slots) compact() {
	if len(l.list) < 16 || len(l.byName)*2 > len(l.list) {
		return
	}
	kept := make([]*Slot, 0, len(l.byName))
	for _, s := range l.list {
		if s != nil {
			s.pos = len(kept)
			kept = append(kept, s)
		}
	}
	l.list = kept
}
