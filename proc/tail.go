package proc

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

const (
	tailLines = 10 // kept if nothing else is said
	maxTail   = 10_000
	tailWidth = 512 // bytes of each
)

// tail keeps the last lines of both streams.
type tail struct {
	mu   sync.Mutex
	keep int      // how many; negative: none
	last []string // a ring once it is full
	next int      // where the oldest is
	err  string   // last of stderr that is not blank
}

func newTail(lines int) *tail {
	if lines == 0 {
		lines = tailLines
	}
	return &tail{keep: lines}
}

func (t *tail) add(text string, stderr bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case len(t.last) < t.keep:
		t.last = append(t.last, text)
	case t.keep > 0:
		t.last[t.next] = text
		t.next = (t.next + 1) % t.keep
	}
	if stderr && strings.TrimSpace(text) != "" {
		t.err = text
	}
}

// lines returns a copy.
func (t *tail) lines() (all []string, lastErr string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Concat(t.last[t.next:], t.last[:t.next]), t.err
}

func (t *tail) all() []string {
	all, _ := t.lines()
	return all
}

// tailing feeds one stream to a tail. Of what is read at once it looks at no more
// than the lines that stay.
type tailing struct {
	*tail
	stderr bool
	rest   []byte // the beginning of the line that has no end yet
}

func (t *tailing) feed(b []byte) {
	end := bytes.LastIndexByte(b, '\n')
	if end < 0 {
		t.begin(b)
		return
	}
	from := t.lastOf(b[:end])
	if from > 0 {
		t.rest = t.rest[:0] // of a line that does not stay
	}
	for line := range bytes.SplitSeq(b[from:end], []byte{'\n'}) {
		if len(t.rest) > 0 {
			t.begin(line)
			line = t.rest
		}
		t.line(line)
		t.rest = t.rest[:0]
	}
	t.begin(b[end+1:])
}

// lastOf is where the lines begin that stay: as many as are kept, and the last of
// stderr that is not blank.
func (t *tailing) lastOf(b []byte) int {
	from := len(b) + 1
	found := !t.stderr
	for n := 0; from > 0 && (n < t.keep || !found); n++ {
		to := from - 1
		from = bytes.LastIndexByte(b[:to], '\n') + 1
		found = found || len(bytes.TrimSpace(b[from:to])) > 0
	}
	return min(from, len(b))
}

// begin keeps as much as is shown, and a character that is cut there.
func (t *tailing) begin(b []byte) {
	t.rest = append(t.rest, b[:min(len(b), tailWidth+utf8.UTFMax-len(t.rest))]...)
}

func (t *tailing) line(b []byte) {
	b = bytes.TrimSuffix(b, cr)
	text := validText(b[:min(len(b), tailWidth+utf8.UTFMax)])
	if len(text) > tailWidth {
		text = strings.ToValidUTF8(text[:tailWidth], "") + " …"
	}
	t.add(text, t.stderr)
}

// flush ends a last line that has no newline.
func (t *tailing) flush() {
	if len(t.rest) > 0 {
		t.line(t.rest)
		t.rest = nil
	}
}
