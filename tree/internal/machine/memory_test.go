package machine

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/strategies"
)

// The queue hands out in order and keeps no more than it must.
func TestQueueMemory(t *testing.T) {
	var q queue
	in, out := 0, 0
	for range 1000 {
		for range 3 {
			q.push(item{gen: in, slot: &Slot{}})
			in++
		}
		for range 2 {
			it, ok := q.pop()
			require.True(t, ok)
			require.Equal(t, out, it.gen)
			out++
		}
	}
	require.LessOrEqual(t, q.head, len(q.items)/2+1, "what is gone makes room")
	for _, it := range q.items[:q.head] {
		require.Nil(t, it.slot, "what is gone is let go")
	}
	for out < in {
		it, ok := q.pop()
		require.True(t, ok)
		require.Equal(t, out, it.gen)
		out++
	}
	_, ok := q.pop()
	require.False(t, ok)
	for _, it := range q.items[:cap(q.items)] {
		require.Nil(t, it.slot)
	}
}

// Children that are gone leave no holes behind for ever, and the order stays.
func TestSlotsMemory(t *testing.T) {
	var l slots
	var kept []*Slot
	for i := range 1000 {
		s := &Slot{Name: fmt.Sprint(i), Spec: &Child{}}
		l.add(s)
		if i%10 == 0 {
			kept = append(kept, s)
		}
	}
	for i, s := range append([]*Slot(nil), l.list...) {
		if i%10 != 0 {
			l.remove(s)
			require.True(t, s.removed)
		}
	}
	l.compact()
	require.Equal(t, kept, l.list)
	for i, s := range l.list {
		require.Equal(t, i, s.pos)
	}
	for _, s := range l.list[:cap(l.list)][len(l.list):] {
		require.Nil(t, s)
	}
	small := slots{}
	small.add(&Slot{Name: "a", Spec: &Child{}})
	small.add(&Slot{Name: "b", Spec: &Child{}})
	small.remove(small.list[0])
	small.compact()
	require.Len(t, small.list, 2, "a hole or two do not matter")
}

// Holes are closed also while there is always a request that waits.
func TestHolesUnderLoad(t *testing.T) {
	m := New(Config{Dynamic: true, Intensity: strategies.Intensity{Max: strategies.Unlimited}})
	spec := &Child{Restart: strategies.Temporary}
	var starting *Slot
	step := func(in Input) {
		for _, e := range m.Step(m.now, in, nil) {
			if e.Kind == DoStart {
				starting = e.Slot
			}
		}
	}
	ask := func(i int) {
		step(Input{Kind: Ask, Request: &Request{Op: StartInstance, Name: fmt.Sprint(i), Child: spec}})
	}
	step(Input{Kind: Begin})
	ask(0)
	for i := range 1000 {
		ask(i + 1)
		s := starting
		step(Input{Kind: Ready, Slot: s, Gen: s.Gen})
		step(Input{Kind: Exited, Slot: s, Gen: s.Gen})
		require.LessOrEqual(t, m.Len(), 2)
		require.Less(t, len(m.List()), 32)
	}
}

// A dynamic supervisor whose instances come and go does not grow.
func TestInstancesMemory(t *testing.T) {
	w := newWorld(Config{Dynamic: true})
	w.step(Input{Kind: Begin})
	for i := range 1000 {
		w.ask(&Request{Op: StartInstance, Name: fmt.Sprint(i), Child: &Child{Restart: strategies.Temporary}})
		w.ready(fmt.Sprint(i))
		w.end(fmt.Sprint(i), nil)
	}
	require.Empty(t, w.wrong)
	require.Less(t, len(w.m.(*Machine).kids.list), 64)
}
