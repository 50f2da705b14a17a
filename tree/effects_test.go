package tree

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/tree/internal/machine"
)

// What a step has told of is let go when it is done, and a long tale is not kept.
func TestEffectsAreLetGo(t *testing.T) {
	var p effects
	l := p.take()
	l.list = append(l.list, machine.Effect{Slot: new(machine.Slot)}, machine.Effect{Slot: new(machine.Slot)})
	told := l.list
	p.putBack(l)
	for _, e := range told {
		require.Nil(t, e.Slot)
	}
	l = &effectList{list: make([]machine.Effect, 1, keepCap+1)}
	l.list[0].Slot = new(machine.Slot)
	p.putBack(l)
	for range 10 {
		require.LessOrEqual(t, cap(p.take().list), keepCap)
	}
}
