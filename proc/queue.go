package proc

import (
	"bytes"
	"sync"
)

// loss is output that nobody has got.
type loss struct{ lines, bytes int64 }

// queue is between a stream and a consumer that must not slow it down. It holds
// size bytes: one half is with the consumer while the other is filled. What does
// not fit is dropped, from there on to the consumer's next turn, in whole lines.
type queue struct {
	mu    sync.Mutex
	some  sync.Cond
	size  int
	fill  []byte
	spare []byte // the consumer's half
	lost  loss   // behind fill
	total loss
	open  bool // what was queued last has no end of line
	begun bool // what the consumer got last has none
	cut   bool // the rest of a line that was dropped is to come
	ended bool
}

func newQueue(size int) *queue {
	q := &queue{size: size}
	q.some.L = &q.mu
	return q
}

// push never waits.
func (q *queue) push(b []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.cut {
		b = q.skip(b)
	}
	if q.lost.lines == 0 {
		b = q.take(b)
	}
	if len(b) > 0 {
		q.drop(b)
	}
	q.some.Signal()
}

// skip drops the rest of a line, which has been counted as such, but not its bytes.
func (q *queue) skip(b []byte) []byte {
	n := bytes.IndexByte(b, '\n') + 1
	if q.cut = n == 0; q.cut {
		n = len(b)
	}
	l := loss{bytes: int64(n)}
	q.lost.add(l)
	q.total.add(l)
	return b[n:]
}

// take queues what fits and returns the rest.
func (q *queue) take(b []byte) []byte {
	n := len(b)
	if room := q.size/2 - len(q.fill); n > room {
		n = bytes.LastIndexByte(b[:room], '\n') + 1
	}
	if n > 0 {
		q.fill = append(q.fill, b[:n]...)
		q.open = b[n-1] != '\n'
	}
	return b[n:]
}

func (q *queue) drop(b []byte) {
	l := loss{int64(bytes.Count(b, newline)), int64(len(b))}
	if q.open {
		l.bytes += int64(q.endLine())
	}
	if b[len(b)-1] != '\n' {
		l.lines++
		q.cut = true
	}
	q.lost.add(l)
	q.total.add(l)
}

// endLine drops the beginning of a line, or ends it where the consumer has some of
// it already: what comes next must not be glued to it.
func (q *queue) endLine() (dropped int) {
	q.open = false
	k := bytes.LastIndexByte(q.fill, '\n') + 1
	if k == 0 && q.begun {
		q.fill = append(q.fill, '\n')
		return 0
	}
	dropped = len(q.fill) - k
	q.fill = q.fill[:k]
	return dropped
}

var newline = []byte{'\n'}

func (l *loss) add(m loss) {
	l.lines += m.lines
	l.bytes += m.bytes
}

// end says that nothing comes any more.
func (q *queue) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended = true
	q.some.Signal()
}

// next waits for something, and returns it with what was lost behind it; more is
// false when there is nothing any more. The last batch is the queue's again.
func (q *queue) next() (batch []byte, lost loss, more bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.fill) == 0 && !q.tells() {
		if q.ended {
			return nil, loss{}, false
		}
		q.fill, q.spare = nil, nil // an idle stream holds nothing
		q.some.Wait()
	}
	batch, lost = q.fill, q.lost
	q.fill, q.spare, q.lost = q.spare[:0], q.fill, loss{}
	if len(batch) > 0 {
		q.begun = batch[len(batch)-1] != '\n'
	}
	return batch, lost, true
}

// tells is true if there is a loss to be told; that of a line without end is, once.
func (q *queue) tells() bool {
	return q.lost.lines > 0 || q.lost.bytes > 0 && (q.ended || !q.cut)
}

// dropped is what was lost so far.
func (q *queue) dropped() loss {
	if q == nil {
		return loss{}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.total
}
