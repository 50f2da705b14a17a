package machine

type itemKind uint8

const (
	itemExit itemKind = iota
	itemUnhealthy
	itemRetry
	itemRequest
)

// item waits until nothing is in progress.
type item struct {
	kind    itemKind
	counted bool // itemRetry: the restart is in the window already
	soon    bool // itemExit: others may go ahead
	slot    *Slot
	gen     int
	token   uint64
	err     error
	req     *Request
}

// queue is first in, first out.
type queue struct {
	items []item
	head  int
	firm  int // how many of the items no other goes ahead of
}

func (q *queue) empty() bool { return q.head == len(q.items) }

func (q *queue) push(it item) {
	q.items = append(q.items, it)
	if !it.soon {
		q.firm++
	}
}

func (q *queue) pop() (item, bool) {
	if q.empty() {
		return item{}, false
	}
	it := q.items[q.head]
	q.items[q.head] = item{}
	q.head++
	if !it.soon {
		q.firm--
	}
	switch {
	case q.head == len(q.items):
		q.items, q.head = q.items[:0], 0
	case q.head >= 64 && q.head*2 >= len(q.items):
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	return it, true
}

// withdraw forgets a waiting request.
func (q *queue) withdraw(r *Request) {
	for i := q.head; i < len(q.items); i++ {
		if q.items[i].req == r {
			q.items = append(q.items[:i], q.items[i+1:]...)
			q.firm--
			return
		}
	}
}
