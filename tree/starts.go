package tree

// starts has the goroutines of incarnations begin, in order: each begins the next of
// its row as soon as it runs itself, and the last one tells the supervisor. So the
// supervisor, which starts many in a row, is not switched to and from for each, and
// makes the next ones meanwhile.
type starts struct {
	ack         chan struct{} // has room for one
	begun       bool          // a row is on its way: its last has not told yet
	first, last *incarnation  // of the row that waits
	n           int           // its length
}

// maxRow is how many incarnations wait for those before them to run.
const maxRow = 64

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

// flush returns when all run.
func (s *starts) flush() {
	if s.first != nil {
		s.beginRow()
	}
	s.wait()
}

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
	go first.run()
}
