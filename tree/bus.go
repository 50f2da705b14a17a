package tree

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/coppice-go/coppice/tree/internal/machine"
)

// MaxEventBuffer is the most events that may wait for one who reads them. The room
// for so many takes some 200 MB.
const MaxEventBuffer = 1 << 20

// Subscription delivers the events of a tree.
type Subscription struct {
	// C is closed after the last event of the tree, or by Close.
	C <-chan Event
	// After is the Seq of the last event before the subscription. Later ones are
	// delivered or counted by Dropped.
	After uint64

	c       chan Event
	mask    machine.Mask
	dropped atomic.Uint64
	bus     *bus
}

// Dropped is how many events were lost because C was full.
func (s *Subscription) Dropped() uint64 { return s.dropped.Load() }

// Close ends the subscription and closes C. It may be called more than once.
func (s *Subscription) Close() { s.bus.unsubscribe(s) }

// bus hands events to subscriptions, in order, and never waits for one.
type bus struct {
	mu     sync.Mutex
	seq    uint64
	subs   []*Subscription
	closed bool
	mask   atomic.Uint32 // what anybody wants
}

const allEvents = machine.Mask(1<<len(eventNames) - 1)

func (b *bus) want() machine.Mask { return machine.Mask(b.mask.Load()) }

func (b *bus) subscribe(buffer int, mask machine.Mask) *Subscription {
	c := make(chan Event, min(max(buffer, 1), MaxEventBuffer))
	s := &Subscription{C: c, c: c, mask: mask, bus: b}
	b.mu.Lock()
	defer b.mu.Unlock()
	s.After = b.seq
	if b.closed {
		close(c)
		return s
	}
	b.subs = append(b.subs, s)
	b.updateMask()
	return s
}

func (b *bus) unsubscribe(s *Subscription) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, other := range b.subs {
		if other == s {
			b.subs = append(b.subs[:i:i], b.subs[i+1:]...)
			b.updateMask()
			close(s.c)
			return
		}
	}
}

func (b *bus) updateMask() {
	var m machine.Mask
	for _, s := range b.subs {
		m |= s.mask
	}
	b.mask.Store(uint32(m))
}

func (b *bus) publish(e Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	b.seq++
	e.Seq, e.Time = b.seq, time.Now()
	for _, s := range b.subs {
		if !s.mask.Has(machine.EventKind(e.Kind)) {
			continue
		}
		select {
		case s.c <- e:
		default:
			s.dropped.Add(1)
		}
	}
}

func (b *bus) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for _, s := range b.subs {
		close(s.c)
	}
	b.subs = nil
	b.mask.Store(0)
}
