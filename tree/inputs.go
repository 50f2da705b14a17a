package tree

import "github.com/coppice-go/coppice/tree/internal/machine"

// inputs are those that a supervisor has before it, in the order in which they are
// to be done:
//
//   - what came in ahead, and went by nothing that is firm;
//   - what it has fed itself, which goes on with what it is doing;
//   - what came in.
//
// The first two may never end: a long start feeds itself all the time. After
// maxSteps of them in a row all that has come in until then goes first, so that a
// stop is noticed.
type inputs struct {
	fed, news list
	row       int  // how many of the first two were done in a row
	newsTurn  bool // they wait until the news there were are done
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
		if cap(l.items) > keepCap {
			l.items = nil
		}
	}
	return in
}

func (q *inputs) feed(in machine.Input) { q.fed.items = append(q.fed.items, in) }

func (q *inputs) next(box *mailbox) (in machine.Input, ok bool) {
	if q.row == maxSteps {
		q.row, q.newsTurn = 0, true
		q.news.items = box.take(q.news.items)
	}
	if q.newsTurn && !q.news.empty() {
		return q.popNews(box), true
	}
	q.newsTurn = false
	if in, ok = q.first(box); ok {
		q.row++
		return in, true
	}
	q.row = 0
	if q.news.empty() {
		q.news.items = box.take(q.news.items)
	}
	if q.news.empty() {
		return in, false
	}
	return q.popNews(box), true
}

func (q *inputs) popNews(box *mailbox) machine.Input {
	in := q.news.pop()
	if isFirm(&in) {
		box.firm.Add(-1)
	}
	return in
}

func (q *inputs) first(box *mailbox) (in machine.Input, ok bool) {
	if in, ok = box.takeAhead(); ok {
		return in, true
	}
	if q.fed.empty() {
		return in, false
	}
	return q.fed.pop(), true
}
