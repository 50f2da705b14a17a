package tree

// fifo is a queue that one side fills and the other empties piece by piece, so that
// a long one is neither copied nor kept.
type fifo struct {
	full  [][]any // older first
	tail  []any
	spare [][]any // for later pieces
}

const (
	pieceSize = 256 // messages, at most
	maxSpare  = 8
)

func (q *fifo) push(message any) {
	if len(q.tail) == pieceSize {
		q.full = append(q.full, q.tail)
		if q.tail = q.takeSpare(); q.tail == nil {
			q.tail = make([]any, 0, pieceSize)
		}
	}
	q.tail = append(q.tail, message)
}

// pop returns the oldest piece, nil if there is none. used is one that is done with.
func (q *fifo) pop(used []any) (piece []any) {
	if cap(used) > 0 && len(q.spare) < maxSpare {
		q.spare = append(q.spare, used[:0])
	}
	switch {
	case len(q.full) > 0:
		piece = q.full[0]
		q.full[0] = nil
		q.full = q.full[1:]
	case len(q.tail) > 0:
		piece = q.tail
		q.tail = q.takeSpare()
	}
	return piece
}

func (q *fifo) takeSpare() (piece []any) {
	if n := len(q.spare) - 1; n >= 0 {
		piece = q.spare[n]
		q.spare[n] = nil
		q.spare = q.spare[:n]
	}
	return piece
}

func (q *fifo) len() int { return len(q.full)*pieceSize + len(q.tail) }
