package proc

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/coppice-go/coppice/actor"
)

const (
	maxLine   = 64 << 10 // a longer line is split
	tailLines = 10       // kept if nothing else is said
	maxTail   = 10_000
	tailWidth = 512 // bytes of each

	// maxRest is how much of the output is read after the group is empty: the most
	// that a pipe holds, unless somebody with privileges made it hold more.
	maxRest = 1 << 20
	// writerWait is how long a writer or logger may take for one piece then, and
	// killWait for all when the grace has passed.
	writerWait = time.Second
	killWait   = 200 * time.Millisecond
)

// output reads one stream of a process until it is closed, or until it is told
// that the process is gone.
type output struct {
	p      *process
	name   string
	read   *os.File
	writer io.Writer   // nil: log
	shared *sync.Mutex // of a writer that has both streams; or nil
	lines  splitter
	left   atomic.Bool // given up: nobody waits for it any more
	ending bool        // may be closed while it is read; of Serve's goroutine
	done   chan struct{}
}

func (o *output) run(ctx context.Context) {
	finished := false
	defer func() {
		if !finished { // the writer or the logger called runtime.Goexit
			go o.run(ctx)
			return
		}
		o.read.Close()
		close(o.done)
	}()
	buf := make([]byte, 16<<10)
	for {
		n, err := o.read.Read(buf)
		o.take(ctx, buf[:n])
		if errors.Is(err, os.ErrDeadlineExceeded) {
			o.rest(ctx, buf)
		}
		if err != nil {
			break
		}
	}
	o.lines.flush(func(line []byte) { o.line(ctx, line) })
	finished = true
}

// rest reads what is in the pipe and does not wait for more.
func (o *output) rest(ctx context.Context, buf []byte) {
	if o.read.SetReadDeadline(time.Time{}) != nil {
		return
	}
	conn, err := o.read.SyscallConn()
	if err != nil {
		return
	}
	for sum := 0; sum < maxRest; {
		n := readNow(conn, buf)
		if n <= 0 {
			return
		}
		o.take(ctx, buf[:n])
		sum += n
	}
}

func (o *output) take(ctx context.Context, b []byte) {
	if len(b) > 0 && o.writer != nil {
		o.write(b)
	}
	o.lines.feed(b, func(line []byte) { o.line(ctx, line) })
}

// write calls user code. Its errors and panics are its own business: the process
// must not block because nobody reads.
func (o *output) write(b []byte) {
	if o.left.Load() {
		return
	}
	if o.shared != nil {
		o.shared.Lock()
		defer o.shared.Unlock()
	}
	defer o.p.moves.Add(1)
	returned := false
	defer func() {
		r := recover()
		if returned {
			return
		}
		o.writer = io.Discard
		var err error = actor.ErrGoexit
		if r != nil {
			err = actor.NewPanicError(r)
		}
		o.p.tell(context.Background(), slog.LevelError, "output not written", slog.String("stream", o.name), slog.Any("error", err))
	}()
	_, err := o.writer.Write(b)
	returned = true
	if err != nil {
		o.writer = io.Discard
		o.p.tell(context.Background(), slog.LevelWarn, "output not written", slog.String("stream", o.name), slog.Any("error", err))
	}
}

func (o *output) line(ctx context.Context, line []byte) {
	if o.left.Load() {
		return
	}
	text := strings.ToValidUTF8(string(line), "\uFFFD") // a copy: line is reused
	o.p.tail.add(o.name, text)
	defer o.p.probe(text) // so that it is in the log before what follows from it
	if o.writer == nil {
		o.p.tell(ctx, slog.LevelInfo, text, slog.String("stream", o.name))
		o.p.moves.Add(1)
	}
}

// sameWriter is false also for what cannot be compared.
func sameWriter(a, b io.Writer) bool {
	defer func() { _ = recover() }()
	return a != nil && a == b
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
		s.rest, b = append(s.rest, b[:n]...), b[n:]
		k := lastCut(s.rest, b[0])
		line := append(bytes.Clone(s.rest[:k]), " …"...)
		s.rest = append(s.rest[:0], s.rest[k:]...) // first: emit may not return
		emit(line)
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

func (s *splitter) end(emit func([]byte)) {
	line := bytes.TrimSuffix(s.rest, []byte{'\r'})
	s.rest = s.rest[:0]
	emit(line)
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
	keep int      // how many; 0: tailLines, negative: none
	last []string // a ring once it is full
	next int      // where the oldest is
	err  string   // last of stderr that is not blank
}

func (t *tail) add(stream, line string) {
	if len(line) > tailWidth {
		line = strings.ToValidUTF8(line[:tailWidth], "") + " …"
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	keep := t.keep
	if keep == 0 {
		keep = tailLines
	}
	switch {
	case len(t.last) < keep:
		t.last = append(t.last, line)
	case keep > 0:
		t.last[t.next] = line
		t.next = (t.next + 1) % keep
	}
	if stream == "stderr" && strings.TrimSpace(line) != "" {
		t.err = line
	}
}

func (t *tail) lines() (all []string, lastErr string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Concat(t.last[t.next:], t.last[:t.next]), t.err
}
