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
	due        time.Duration // since the tree began
	prev, next *asker
}

var _ proto.Process = (*asker)(nil)

// begin opens a question and returns its number.
func (a *asker) begin() uint32 {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last, a.open = a.last+1, true
	return a.last
}

// SendUserMessage is how an answer comes.
func (a *asker) SendUserMessage(to *proto.PID, message any) {
	a.take(to, proto.UnwrapEnvelopeMessage(message))
}

// take takes the first answer to the open question.
func (a *asker) take(to *proto.PID, answer any) (taken bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	taken = a.open && to.RequestId == a.last
	if taken {
		a.give(answer)
	}
	return taken
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
	born  time.Time // of the tree

	mu          sync.Mutex
	idle        []*asker
	first, last *asker      // of those with a bound
	timer       *time.Timer // nil: not set
	closed      bool
}

// maxAskers is how many are kept.
const maxAskers = 32

// take opens a question: by whom, until that is given back, and the address for the
// answer, which is ErrNoAnswer when the time of a bounded question is over.
func (l *askers) take(t *Tree, bounded bool) (a *asker, sender *proto.PID, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.idle) - 1; n >= 0 {
		a = l.idle[n]
		l.idle = l.idle[:n]
	} else if a, err = t.newAsker(); err != nil {
		return nil, nil, err
	}
	sender = &proto.PID{Address: t.system.Address(), Id: a.pid.Id, RequestId: a.begin()}
	if bounded && l.bound < Infinity/2 { // longer is for ever
		l.push(a)
	}
	return a, sender, nil
}

func (t *Tree) newAsker() (*asker, error) {
	a := &asker{answer: make(chan any, 1)}
	r := t.system.ProcessRegistry
	id := t.root.path + "//" + r.NextId() // where no child of a tree can be
	var ok bool
	if a.pid, ok = r.Add(a, id); !ok {
		return nil, fmt.Errorf("register %s: %w", id, proto.ErrNameExists)
	}
	return a, nil
}

// push puts a bounded question behind those asked before.
func (l *askers) push(a *asker) {
	a.due, a.prev = time.Since(l.born)+l.bound, l.last
	if l.last != nil {
		l.last.next = a
	} else {
		l.first = a
	}
	l.last = a
	if l.timer == nil && !l.closed {
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
	now := time.Since(l.born)
	for l.first != nil && l.first.due <= now {
		a := l.first
		l.remove(a)
		a.late()
	}
	l.timer = nil
	if l.first != nil && !l.closed {
		l.timer = time.AfterFunc(l.first.due-now, l.ring)
	}
}

// giveBack closes the question.
func (l *askers) giveBack(t *Tree, a *asker) {
	a.close()
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
