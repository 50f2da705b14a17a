package tree

import (
	"sync/atomic"

	"github.com/coppice-go/coppice/tree/internal/machine"
)

// starts has the goroutines of incarnations begin, in order: each begins the next of
// its row as soon as it runs itself, and the last one tells the supervisor, and who
// has asked for the start. So the supervisor, which starts many in a row, is not
// switched to and from for each, and makes the next ones meanwhile.
type starts struct {
	ack         chan struct{} // has room for one
	begun       bool          // a row is on its way: its last has not told yet
	first, last *incarnation  // of the row that waits
	n           int           // its length

	// For the last of the row that is on its way, or over once it is too late.
	answers atomic.Pointer[machine.Answer]
}

var over machine.Answer

// maxRow is how many incarnations wait for those before them to run.
const maxRow = 256

// add has i begin after those that were given before, if not at once.
func (s *starts) add(i *incarnation) {
	if s.first == nil {
		s.first = i
	} else {
		s.last.next = i
	}
	s.last = i
	if s.n++; s.n == maxRow || s.free() {
		s.beginRow()
	}
}

// send has all begin, once those before them run.
func (s *starts) send() {
	if s.first != nil {
		s.beginRow()
	}
}

// flush returns when all run.
func (s *starts) flush() {
	s.send()
	s.wait()
}

// answer answers a request as soon as all run.
func (s *starts) answer(a *machine.Answer) {
	s.send()
	if !s.begun || !s.answers.CompareAndSwap(nil, a) {
		reply(a)
	}
}

func reply(a *machine.Answer) { a.Request.Reply.(chan *machine.Answer) <- a }

// free tells whether no row is on its way.
func (s *starts) free() bool {
	if s.begun {
		select {
		case <-s.ack:
			s.begun = false
		default:
		}
	}
	return !s.begun
}

func (s *starts) wait() {
	if s.begun {
		<-s.ack
		s.begun = false
	}
}

// beginRow begins the row that waits, once the one before it runs.
func (s *starts) beginRow() {
	s.wait()
	first := s.first
	s.first, s.last, s.n, s.begun = nil, nil, 0, true
	s.answers.Store(nil)
	go first.run()
}

// tell is what the last of a row does when it runs.
func (s *starts) tell() {
	a := s.answers.Swap(&over)
	s.ack <- struct{}{}
	if a != nil {
		reply(a)
	}
}
