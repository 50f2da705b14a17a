package tree

import (
	"sync"

	"github.com/coppice-go/coppice/tree/internal/machine"
)

// effects lends the lists in which machines say what is to be done. One is in use for a
// step, so the supervisors of a tree have few.
type effects struct{ pool sync.Pool }

type effectList struct{ list []machine.Effect }

func (p *effects) take() *effectList {
	if l, ok := p.pool.Get().(*effectList); ok {
		return l
	}
	return &effectList{list: make([]machine.Effect, 0, 8)}
}

// putBack lets go of what the list told of; a long one is not kept.
func (p *effects) putBack(l *effectList) {
	if cap(l.list) > keepCap {
		return
	}
	clear(l.list)
	l.list = l.list[:0]
	p.pool.Put(l)
}
