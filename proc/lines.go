package proc

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	maxLine   = 64 << 10 // a longer line is split
	batchSize = 8 << 10  // of lines that are made text at once, and share its memory
)

// splitter cuts a stream into lines of text. It holds at most one line of maxLine
// bytes.
type splitter struct {
	rest    []byte
	pending []byte // to be fed anew: emit called runtime.Goexit
}

func (s *splitter) feed(b []byte, emit func(string)) {
	var text string // of the lines that are next
	texts, within, finished := false, false, false
	defer func() {
		if finished {
			return
		}
		if within {
			s.pending = append(s.pending, '\n')
		}
		if texts {
			s.pending = append(append(s.pending, text...), '\n')
		}
		s.pending = append(s.pending, b...)
	}()
	for {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			break
		}
		if len(s.rest) == 0 && i <= maxLine { // no need to keep it
			if i < batchSize {
				i = bytes.LastIndexByte(b[:min(len(b), batchSize)], '\n')
			}
			text, texts, b = validText(b[:i]), true, b[i+1:]
			for texts {
				var line string
				line, text, texts = strings.Cut(text, "\n")
				emit(strings.TrimSuffix(line, "\r"))
			}
		} else {
			line := b[:i]
			b, within = b[i+1:], true
			s.take(line, emit)
			within = false
			s.end(emit)
		}
	}
	last := b
	b = nil
	s.take(last, emit)
	finished = true
}

// again is what is to be fed anew.
func (s *splitter) again() []byte {
	b := s.pending
	s.pending = nil
	return b
}

var cr = []byte{'\r'}

// take adds to the line, and cuts it where it becomes too long.
func (s *splitter) take(b []byte, emit func(string)) {
	for len(s.rest)+len(b) > maxLine {
		n := maxLine - len(s.rest)
		s.rest, b = append(s.rest, b[:n]...), b[n:]
		k := lastCut(s.rest, b[0])
		line := validText(s.rest[:k]) + " …"
		s.rest = append(s.rest[:0], s.rest[k:]...) // first: emit may not return
		s.pending = slices.Clip(b)
		emit(line)
		s.pending = nil
	}
	s.rest = append(s.rest, b...)
}

// lastCut is where line, which goes on with next, can be cut between characters.
func lastCut(line []byte, next byte) int {
	if utf8.RuneStart(next) {
		return len(line)
	}
	for i := range utf8.UTFMax - 1 {
		if k := len(line) - 1 - i; utf8.RuneStart(line[k]) {
			return k
		}
	}
	return len(line) // not UTF-8
}

func (s *splitter) end(emit func(string)) {
	line := validText(bytes.TrimSuffix(s.rest, cr))
	if s.rest = s.rest[:0]; cap(s.rest) > maxLine/16 {
		s.rest = nil // an idle stream holds no long line's memory
	}
	emit(line)
}

// flush ends a last line that has no newline.
func (s *splitter) flush(emit func(string)) {
	if len(s.rest) > 0 {
		s.end(emit)
	}
}

// validText is a copy, for b is reused.
func validText(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}
