package keeper

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// garbage is the guardian's, and collected when no process is being started. A start
// may take long, in a call that Go's collector, which stops everybody, would wait for:
// nobody would be heard, and the end of the program go unnoticed.
type garbage struct {
	starting sync.Mutex // held by a start
	heap     [1]metrics.Sample
	due      uint64 // bytes of the heap
}

const (
	little = 4 << 20
	plenty = 1 << 30 // is collected at any time
)

func newGarbage() *garbage {
	runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0))) // one is held by a start
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(plenty)
	return &garbage{heap: [1]metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}, due: little}
}

// collect is called after whatever leaves garbage.
func (g *garbage) collect() {
	if !g.starting.TryLock() {
		return
	}
	defer g.starting.Unlock()
	if g.size() < g.due {
		return
	}
	runtime.GC()
	g.due = max(little, 2*g.size())
}

func (g *garbage) size() uint64 {
	metrics.Read(g.heap[:])
	return g.heap[0].Value.Uint64()
}
