package machine

import (
	"cmp"
	"sort"
)

// slots holds the children in start order. Removal leaves a hole, so positions
// stay as they are until compact, and both removal and iteration stay cheap.
type slots struct {
	list    []*Slot
	block   []Slot           // of static children: one object for all
	used    int              // of the block
	ordered int              // of those used: their names are in order, so that they are found without a map
	others  map[string]*Slot // all the rest

	n, active, supervisors int
}

// Before tells whether name a comes before b: the shorter one, or by its bytes. Numbered
// names mostly come in this order, and no two of such a list are the same.
func Before(a, b string) bool { return compareNames(a, b) < 0 }

func compareNames(a, b string) int {
	if c := cmp.Compare(len(a), len(b)); c != 0 {
		return c
	}
	return cmp.Compare(a, b)
}

func (l *slots) reserve(n int) {
	if n > 0 {
		l.list, l.block = make([]*Slot, 0, n), make([]Slot, n)
	}
}

// static returns an empty slot for a child of that name.
func (l *slots) static(name string) *Slot {
	if l.used == len(l.block) {
		return &Slot{Name: name}
	}
	s := &l.block[l.used]
	s.Name = name
	if l.ordered == l.used && (l.used == 0 || Before(l.block[l.used-1].Name, name)) {
		l.ordered++
		s.ordered = true
	}
	l.used++
	return s
}

func (l *slots) find(name string) *Slot {
	if s := l.others[name]; s != nil {
		return s
	}
	i, found := sort.Find(l.ordered, func(i int) int { return compareNames(name, l.block[i].Name) })
	if !found || l.block[i].removed {
		return nil
	}
	return &l.block[i]
}

func (l *slots) add(s *Slot) {
	s.pos = len(l.list)
	l.list = append(l.list, s)
	if !s.ordered {
		if l.others == nil {
			l.others = make(map[string]*Slot)
		}
		l.others[s.Name] = s
	}
	l.n++
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
	if !s.ordered {
		delete(l.others, s.Name)
	}
	l.n--
	l.count(s, -1)
	if s.Spec.Supervisor {
		l.supervisors--
	}
	s.removed = true
}

// compact closes the holes once they are the greater part. Who reads the old list
// may go on.
func (l *slots) compact() {
	if len(l.list) < 16 || l.n*2 > len(l.list) {
		return
	}
	kept := make([]*Slot, 0, l.n)
	for _, s := range l.list {
		if s != nil {
			s.pos = len(kept)
			kept = append(kept, s)
		}
	}
	l.list = kept
}
