package tree

import "github.com/coppice-go/coppice/tree/internal/machine"

// inputs are those that a supervisor has before it, in the order in which they are
// to be done:
//
//   - what came in ahead;
//   - what it has fed itself, which goes on with what it is doing;
//   - what came in.
//
// A long start feeds itself all the time. After a while all that has come in until
// then goes first, so that a stop is noticed.
type inputs struct {
	fed, news list
	row       int // how many of those fed were done in a row
}

// list is done from next on.
type list struct {
	items []machine.Input
	done  int
}

func (l *list) empty() bool { return l.done == len(l.items) }

func (l *list) pop() machine.Input {
	in := l.items[l.done]
	l.items[l.done] = machine.Input{}
	if l.done++; l.empty() {
		l.items, l.done = l.items[:0], 0
	}
	return in
}

func (q *inputs) feed(in machine.Input) { q.fed.items = append(q.fed.items, in) }

func (q *inputs) next(box *mailbox) (in machine.Input, ok bool) {
	if in, ok = box.takeAhead(); ok {
		return in, true
	}
	if !q.fed.empty() && q.row < maxSteps {
		q.row++
		return q.fed.pop(), true
	}
	if q.news.empty() && q.row <= maxSteps {
		q.news.items = box.take(q.news.items)
		if q.row == maxSteps {
			q.row++ // only what has come until now
		}
	}
	if !q.news.empty() {
		if q.row < maxSteps {
			q.row = 0
		}
		return q.news.pop(), true
	}
	q.row = 0
	if !q.fed.empty() {
		return q.fed.pop(), true
	}
	return in, false
}
