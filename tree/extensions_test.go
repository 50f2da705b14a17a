package tree

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/tree/internal/machine"
)

// However often a child asks for more time, one input is on its way, and what it
// asked for last counts when the supervisor looks.
func TestExtensionsDoNotPileUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spec := &Spec{Children: []Child{{Name: "a", Service: actor.Func(nil)}}}
		s := newSupervisor(Runner{}.newTree(t.Context()), nil, "root", spec, nil, nil)
		k := s.childOf(s.m.Slot("a"))
		i := newIncarnation(k, 1)
		k.cur.Store(i)
		for range 2 {
			for range 1000 {
				i.Extend(time.Hour)
			}
			i.Extend(time.Minute)
			time.Sleep(time.Second)
			inputs := s.box.take(nil)
			require.Equal(t, []machine.Input{{Kind: machine.Extend, Slot: k.slot, Gen: 1}}, inputs)
			require.Equal(t, 59*time.Second, k.extended(1, time.Now()))
		}
		i.Extend(time.Hour)
		k.cur.Store(newIncarnation(k, 2))
		require.Zero(t, k.extended(1, time.Now()), "of one that is gone")
	})
}
