package tree

import "sync/atomic"

// numbers keeps the last incarnation of children that are gone, so that one of the same
// path goes on counting: a path and a number name one run. Its size does not grow with
// the number of paths. They share places, so a child may go on from the number of
// another, if that is higher; among a few hundred paths hardly any does.
//
// One serves a whole tree.
type numbers struct {
	places atomic.Pointer[[places]atomic.Int64] // nil: nothing kept yet
}

const places = 1 << 12

// Keep keeps n for the child name of the supervisor at path.
func (k *numbers) Keep(path, name string, n int) {
	if n == 0 {
		return
	}
	if k.places.Load() == nil {
		k.places.CompareAndSwap(nil, new([places]atomic.Int64))
	}
	at := &k.places.Load()[placeOf(path, name)]
	for old := at.Load(); int64(n) > old && !at.CompareAndSwap(old, int64(n)); {
		old = at.Load()
	}
}

// Last returns what was kept; 0: nothing.
func (k *numbers) Last(path, name string) int {
	all := k.places.Load()
	if all == nil {
		return 0
	}
	return int(all[placeOf(path, name)].Load())
}

// placeOf is the same in every program: FNV-1a.
func placeOf(path, name string) uint32 {
	h := uint32(2166136261)
	for _, part := range [...]string{path, "/", name} {
		for i := range len(part) {
			h = (h ^ uint32(part[i])) * 16777619
		}
	}
	return (h ^ h>>12 ^ h>>24) % places
}
