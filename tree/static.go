package tree

import (
	"strings"

	"github.com/coppice-go/coppice/tree/internal/machine"
)

// addStatic declares the children of the spec. What stays the same from one
// incarnation of the supervisor to the next is taken from the one before.
func (s *supervisor) addStatic(known []*traits, before *supervisor) {
	list := s.spec.Children
	s.m.Reserve(len(list))
	kids := make([]child, len(list))
	var shared *machine.Child
	paths := ""
	if before == nil {
		paths = pathsOf(s.path, list)
	}
	for i := range list {
		c, k := &list[i], &kids[i]
		name := c.name()
		old := before.former(name)
		k.sup, k.spec, k.service, k.static, k.last = s, c, c.Service, true, old.nested
		switch n := len(s.path) + 1 + len(name); {
		case old.spec != nil:
			k.path = old.path
		case before == nil:
			k.path, paths = paths[:n], paths[n:]
		default:
			k.path = s.path + "/" + name
		}
		if known != nil {
			k.traits = known[i]
		} else {
			k.traits = traitsOf(c, c.Service)
		}
		switch own := k.machineChild(); {
		case shared != nil && *shared == own:
		case old.spec != nil && *old.spec == own:
			shared = old.spec
		default:
			shared = new(machine.Child)
			*shared = own
		}
		k.slot = s.m.Add(name, shared, k)
		k.slot.Gen = old.gen
	}
}

// pathsOf are those of the children below path, one after the other: one object for all.
func pathsOf(path string, kids []Child) string {
	var b strings.Builder
	n := 0
	for i := range kids {
		n += len(path) + 1 + len(kids[i].name())
	}
	b.Grow(n)
	for i := range kids {
		b.WriteString(path)
		b.WriteByte('/')
		b.WriteString(kids[i].name())
	}
	return b.String()
}

// former is a child as the incarnation before its supervisor's knew it, with the numbers
// that the next one goes on with. The zero value: it did not.
type former struct {
	spec   *machine.Child
	path   string
	gen    int
	nested *supervisor
}

// former returns the child of that name; s may be nil.
func (s *supervisor) former(name string) (f former) {
	if s == nil {
		return f
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	slot := s.m.Slot(name)
	if slot == nil {
		slot = s.retired[name]
	}
	if slot != nil {
		k := s.childOf(slot)
		f = former{slot.Spec, k.path, slot.Gen, k.last}
	}
	return f
}
