package tree

import (
	"fmt"
	"sync"
	"time"

	proto "github.com/asynkron/protoactor-go/actor"
)

// asker is an address for the answers of actors, used for one question after the
// other. A PID carries the number of its question, so an answer that comes late is
// none to the next.
type asker struct {
	pid    *proto.PID
	answer chan any // has room for one

	mu   sync.Mutex
	last uint32 // number of a question
	open bool   // it has no answer yet

	// Of those that have a bound, the first asked first.
	due        time.Time
	prev, next *asker
}

var _ proto.Process = (*asker)(nil)

// ask opens a question and returns the address for its answer.
func (a *asker) ask() *proto.PID {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last, a.open = a.last+1, true
	return &proto.PID{Address: a.pid.Address, Id: a.pid.Id, RequestId: a.last}
}

// SendUserMessage takes the first answer to the open question.
func (a *asker) SendUserMessage(to *proto.PID, message any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open && to.RequestId == a.last {
		a.give(proto.UnwrapEnvelopeMessage(message))
	}
}

func (a *asker) give(answer any) {
	a.open = false
	a.answer <- answer
}

// late answers in place of one who has not.
func (a *asker) late() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open {
		a.give(noAnswer{ErrNoAnswer})
	}
}

// close closes the question, and returns the answer if there is one all the same.
func (a *asker) close() (answer any, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.open = false
	select {
	case answer = <-a.answer:
		return answer, true
	default:
		return nil, false
	}
}

func (a *asker) SendSystemMessage(*proto.PID, any) {}
func (a *asker) Stop(*proto.PID)                   {}

// askers are those of a tree, and a bound on the time of questions. The bound is the
// same for all, so one timer does, which is set for the one asked first and looks who
// is that when it rings: a timer for each question would be most of its price.
type askers struct {
	bound time.Duration

	mu          sync.Mutex
	idle        []*asker
	first, last *asker      // of those with a bound
	timer       *time.Timer // nil: not set
	closed      bool
}

// maxAskers is how many are kept.
const maxAskers = 32

// take returns one to ask by, until it is given back. A bounded question is answered
// by ErrNoAnswer when its time is over.
func (l *askers) take(t *Tree, bounded bool) (*asker, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var a *asker
	if n := len(l.idle) - 1; n >= 0 {
		a = l.idle[n]
		l.idle = l.idle[:n]
	} else {
		a = &asker{answer: make(chan any, 1)}
		r := t.system.ProcessRegistry
		id := t.root.path + "//" + r.NextId() // where no child of a tree can be
		var ok bool
		if a.pid, ok = r.Add(a, id); !ok {
			return nil, fmt.Errorf("register %s: %w", id, proto.ErrNameExists)
		}
	}
	if bounded && l.bound != Infinity {
		l.push(a)
	}
	return a, nil
}

// push puts a bounded question behind those asked before.
func (l *askers) push(a *asker) {
	a.due, a.prev = time.Now().Add(l.bound), l.last
	if l.last != nil {
		l.last.next = a
	} else {
		l.first = a
	}
	l.last = a
	if l.timer == nil {
		l.timer = time.AfterFunc(l.bound, l.ring)
	}
}

func (l *askers) remove(a *asker) {
	switch {
	case a.prev != nil:
		a.prev.next = a.next
	case l.first == a:
		l.first = a.next
	}
	switch {
	case a.next != nil:
		a.next.prev = a.prev
	case l.last == a:
		l.last = a.prev
	}
	a.prev, a.next = nil, nil
}

// ring is called when the question asked first may have had its time.
func (l *askers) ring() {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for l.first != nil && !l.first.due.After(now) {
		a := l.first
		l.remove(a)
		a.late()
	}
	l.timer = nil
	if l.first != nil && !l.closed {
		l.timer = time.AfterFunc(l.first.due.Sub(now), l.ring)
	}
}

// giveBack takes one that has no open question.
func (l *askers) giveBack(t *Tree, a *asker) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.remove(a)
	if !l.closed && len(l.idle) < maxAskers {
		l.idle = append(l.idle, a)
	} else {
		t.system.ProcessRegistry.Remove(a.pid)
	}
}

// close takes the addresses of those that are idle, and has others go when given back.
func (l *askers) close(t *Tree) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.idle {
		t.system.ProcessRegistry.Remove(a.pid)
	}
	l.idle, l.closed = nil, true
	if l.timer != nil {
		l.timer.Stop()
	}
}
