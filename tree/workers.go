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
type workers struct {
	mu     sync.Mutex
	idle   []chan func() // the one that worked last at the end
	closed bool
}

var _ proto.Dispatcher = (*workers)(nil)

// maxIdle is how many goroutines are kept for the next turn.
const maxIdle = 32

// Schedule has a goroutine call turn. It never waits: if none is idle it starts one.
func (w *workers) Schedule(turn func()) {
	w.mu.Lock()
	n := len(w.idle) - 1
	if n < 0 {
		w.mu.Unlock()
		go w.work(turn)
		return
	}
	c := w.idle[n]
	w.idle = w.idle[:n]
	w.mu.Unlock()
	c <- turn
}

// Throughput is how many messages of a mailbox are handled before other goroutines
// are let in.
func (w *workers) Throughput() int { return 300 }

func (w *workers) work(turn func()) {
	c := make(chan func(), 1)
	for turn != nil {
		turn()
		pprof.SetGoroutineLabels(context.Background())
		if !w.rest(c) {
			return
		}
		turn = <-c
	}
}

// rest makes a worker known as idle, unless there are enough.
func (w *workers) rest(c chan func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || len(w.idle) == maxIdle {
		return false
	}
	w.idle = append(w.idle, c)
	return true
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
