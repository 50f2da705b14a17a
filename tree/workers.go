package tree

import (
	"context"
	"runtime/pprof"
	"sync"

	proto "github.com/asynkron/protoactor-go/actor"
)

// workers run the mailboxes of a tree on goroutines that live on, with stacks that
// have grown. protoactor's own dispatcher starts a goroutine for each turn of a
// mailbox, and most of what a message costs there is the growth of its stack.
//
// Turns wait in one queue, and while there are any a worker is on its way there,
// woken or new. It is seldom the first: one that is done with a turn takes the next at
// once, mostly what that turn has scheduled, and for what comes while a worker is on
// its way no other is woken. A turn that goes on holds nothing up.
type workers struct {
	mu     sync.Mutex
	queue  []func() // from first on
	first  int
	coming int             // workers on their way
	idle   []chan struct{} // the one that worked last at the end
	closed bool
}

var _ proto.Dispatcher = (*workers)(nil)

// maxIdle is how many goroutines are kept for later turns.
const maxIdle = 32

// Schedule has a goroutine call turn. It never waits: if none is idle it starts one.
func (w *workers) Schedule(turn func()) {
	w.mu.Lock()
	if len(w.queue) == cap(w.queue) && w.first > len(w.queue)/2 { // it is never empty
		n := copy(w.queue, w.queue[w.first:])
		clear(w.queue[n:])
		w.queue, w.first = w.queue[:n], 0
	}
	w.queue = append(w.queue, turn)
	w.unlockAndWake()
}

// unlockAndWake sees to it that a worker comes if turns wait.
func (w *workers) unlockAndWake() {
	if w.empty() || w.coming > 0 {
		w.mu.Unlock()
		return
	}
	w.coming++
	n := len(w.idle) - 1
	if n < 0 {
		w.mu.Unlock()
		go w.work()
		return
	}
	c := w.idle[n]
	w.idle = w.idle[:n]
	w.mu.Unlock()
	c <- struct{}{}
}

// Throughput is how many messages of a mailbox are handled before other goroutines
// are let in.
func (w *workers) Throughput() int { return 300 }

func (w *workers) work() {
	c := make(chan struct{}, 1)
	for woken := true; woken; _, woken = <-c {
		w.mu.Lock()
		w.coming--
		for !w.empty() {
			turn := w.take()
			w.unlockAndWake()
			turn()
			pprof.SetGoroutineLabels(context.Background())
			w.mu.Lock()
		}
		if !w.unlockAndRest(c) {
			return
		}
	}
}

// unlockAndRest makes a worker known as idle, unless there are enough.
func (w *workers) unlockAndRest(c chan struct{}) bool {
	defer w.mu.Unlock()
	if w.closed || len(w.idle) == maxIdle {
		return false
	}
	w.idle = append(w.idle, c)
	return true
}

func (w *workers) empty() bool { return w.first == len(w.queue) }

func (w *workers) take() (turn func()) {
	turn, w.queue[w.first] = w.queue[w.first], nil
	if w.first++; w.empty() {
		w.queue, w.first = w.queue[:0], 0
		if cap(w.queue) > keepCap {
			w.queue = nil
		}
	}
	return turn
}

// close ends those that are idle, and others when they would be. What is scheduled
// later is run all the same.
func (w *workers) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for _, c := range w.idle {
		close(c)
	}
	w.idle = nil
}
