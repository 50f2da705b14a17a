package proc

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	maxLine   = 64 << 10 // a longer line is split
	tailLines = 10       // kept for ExitError
	tailWidth = 512      // bytes of each

	// drainTime is how long the rest of the output is read after the group is
	// empty, if something outside it keeps the pipe open.
	drainTime = 100 * time.Millisecond
	// writerWait is how long a writer or logger that blocks is waited for then.
	writerWait = time.Second
)

// output reads one stream of a process until it is closed, or until it is told
// that the process is gone.
type output struct {
	p      *process
	name   string
	read   *os.File
	writer io.Writer // nil: log
	done   chan struct{}
}

func (o *output) run(ctx context.Context) {
	defer close(o.done)
	defer o.read.Close()
	var lines splitter
	buf := make([]byte, 16<<10)
	emit := func(line []byte) { o.line(ctx, line) }
	for {
		n, err := o.read.Read(buf)
		if n > 0 {
			if o.writer != nil {
				o.write(buf[:n])
			}
			lines.feed(buf[:n], emit)
		}
		if err != nil {
			lines.flush(emit)
			return
		}
	}
}

// write calls user code. Its errors and panics are its own business: the process
// must not block because nobody reads.
func (o *output) write(b []byte) {
	defer func() {
		if r := recover(); r != nil {
			o.p.log.Error("writer panicked", "stream", o.name, "panic", r)
			o.writer = io.Discard
		}
	}()
	if _, err := o.writer.Write(b); err != nil {
		o.p.log.Warn("output not written", "stream", o.name, "error", err)
		o.writer = io.Discard
	}
}

func (o *output) line(ctx context.Context, line []byte) {
	text := strings.ToValidUTF8(string(line), "\uFFFD") // a copy: line is reused
	o.p.tail.add(o.name, text)
	o.p.probe(text)
	if o.writer == nil {
		o.p.log.LogAttrs(ctx, slog.LevelInfo, text, slog.String("stream", o.name))
	}
}

// splitter cuts a stream into lines. It holds at most one line of maxLine bytes.
type splitter struct{ rest []byte }

func (s *splitter) feed(b []byte, emit func([]byte)) {
	for {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			break
		}
		s.take(b[:i], emit)
		s.end(emit)
		b = b[i+1:]
	}
	s.take(b, emit)
}

// take adds to the line, and cuts it where it becomes too long.
func (s *splitter) take(b []byte, emit func([]byte)) {
	for len(s.rest)+len(b) > maxLine {
		n := maxLine - len(s.rest)
		emit(append(append(s.rest, b[:n]...), " …"...))
		s.rest, b = s.rest[:0], b[n:]
	}
	s.rest = append(s.rest, b...)
}

func (s *splitter) end(emit func([]byte)) {
	emit(bytes.TrimSuffix(s.rest, []byte{'\r'}))
	s.rest = s.rest[:0]
}

// flush ends a last line that has no newline.
func (s *splitter) flush(emit func([]byte)) {
	if len(s.rest) > 0 {
		s.end(emit)
	}
}

// tail keeps the last lines.
type tail struct {
	mu   sync.Mutex
	last []string
	err  string // last of stderr
}

func (t *tail) add(stream, line string) {
	if len(line) > tailWidth {
		line = strings.ToValidUTF8(line[:tailWidth], "") + " …"
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.last) == tailLines {
		copy(t.last, t.last[1:])
		t.last = t.last[:tailLines-1]
	}
	t.last = append(t.last, line)
	if stream == "stderr" {
		t.err = line
	}
}

func (t *tail) lines() (all []string, lastErr string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.last), t.err
}
