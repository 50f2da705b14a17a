package tree

import (
	"container/heap"
	"time"

	"github.com/coppice-go/coppice/tree/internal/machine"
)

// alarms are the timers of a supervisor's machine, under one of the runtime's.
// That one is only ever brought forward: it may ring for an alarm that was
// cancelled, and is then set anew. So a grace given to one child after the other,
// which hardly ever passes, costs next to nothing.
type alarms struct {
	heap  alarmHeap
	seq   uint64
	free  *alarm      // the last one that is not needed any more
	ring  func()      // called, on a goroutine of its own, when an alarm should be due
	timer *time.Timer // nil: never set
	rings time.Time   // when the timer does; zero: it does not
}

// alarm is of a slot, or of all (nil).
type alarm struct {
	due   time.Time
	seq   uint64 // of those due at the same time the first set is the first told
	slot  *machine.Slot
	token uint64
	pos   int // in the heap; -1: not there
}

// set returns an alarm that holds until it is due or cancelled.
func (a *alarms) set(e *machine.Effect) *alarm {
	it := a.free
	if it == nil {
		it = new(alarm)
	}
	a.free = nil
	a.seq++
	*it = alarm{due: time.Now().Add(e.Delay), seq: a.seq, slot: e.Slot, token: e.Token}
	heap.Push(&a.heap, it)
	a.arm()
	return it
}

// arm sees to it that the timer rings for the first alarm.
func (a *alarms) arm() {
	if len(a.heap) == 0 {
		return
	}
	due := a.heap[0].due
	if !a.rings.IsZero() && !a.rings.After(due) {
		return
	}
	a.rings = due
	if a.timer == nil {
		a.timer = time.AfterFunc(time.Until(due), a.ring)
	} else {
		a.timer.Reset(time.Until(due))
	}
}

// due returns the next alarm whose time has come, and nil when there is none.
func (a *alarms) due(now time.Time) *alarm {
	if len(a.heap) == 0 || a.heap[0].due.After(now) {
		return nil
	}
	return heap.Pop(&a.heap).(*alarm)
}

// rang is to be called when ring was.
func (a *alarms) rang() { a.rings = time.Time{} }

// cancel calls off what was set, if it is not due yet, and forgets it.
func (a *alarms) cancel(set **alarm) {
	if it := *set; it != nil && it.pos >= 0 {
		heap.Remove(&a.heap, it.pos)
		a.free = it
	}
	*set = nil
}

func (a *alarms) stop() {
	if a.timer != nil {
		a.timer.Stop()
	}
	*a = alarms{}
}

// alarmHeap is a heap.Interface.
type alarmHeap []*alarm

func (h alarmHeap) Len() int { return len(h) }

func (h alarmHeap) Less(i, j int) bool {
	if !h[i].due.Equal(h[j].due) {
		return h[i].due.Before(h[j].due)
	}
	return h[i].seq < h[j].seq
}

func (h alarmHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].pos, h[j].pos = i, j
}

func (h *alarmHeap) Push(x any) {
	it := x.(*alarm)
	it.pos = len(*h)
	*h = append(*h, it)
}

func (h *alarmHeap) Pop() any {
	last := len(*h) - 1
	it := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	it.pos = -1
	return it
}
