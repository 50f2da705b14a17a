package rotate

import (
	"bytes"
	"io/fs"
)

const maxLine = 64 << 10 // a longer one is written in pieces

// writer is one stream.
type writer struct {
	to     *shared
	rest   []byte // the beginning of a line
	closed bool
}

// Write writes whole lines, as far as there are any.
func (w *writer) Write(b []byte) (int, error) {
	if w.closed {
		return 0, fs.ErrClosed
	}
	data := b
	kept := len(w.rest)
	if kept > 0 {
		data = append(w.rest, b...)
	}
	sum := 0
	for sum < len(data) {
		n := piece(data[sum:])
		if n == 0 {
			break
		}
		k, err := w.to.write(w, data[sum:sum+n])
		if sum += k; err != nil {
			w.rest = w.rest[:0] // it goes with the rest of its line
			return max(0, sum-kept), err
		}
	}
	w.rest = append(w.rest[:0], data[sum:]...)
	return len(b), nil
}

// piece is how much of b is written at once: as many whole lines as there is room
// for, or of a line that is too long what is there. 0: it waits for its end.
func piece(b []byte) int {
	n := min(len(b), maxLine)
	if k := bytes.LastIndexByte(b[:n], '\n') + 1; k > 0 || len(b) < maxLine {
		return k
	}
	return n
}

// Close ends a line that has no end.
func (w *writer) Close() error {
	if w.closed {
		return fs.ErrClosed
	}
	w.closed = true
	var err error
	if len(w.rest) > 0 {
		_, err = w.to.write(w, append(w.rest, '\n'))
	} else {
		err = w.to.finish(w)
	}
	w.to.release()
	return err
}
