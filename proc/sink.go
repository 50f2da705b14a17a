package proc

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coppice-go/coppice/actor"
)

// Opener is a Stdout or Stderr that is opened for each stream of each process,
// such as a *rotate.File. Its own Write is not used.
type Opener interface {
	io.Writer

	// Open is called before the process starts, and its error fails the start. If it
	// has not returned when the start's time is over or a stop comes, it is given up,
	// and what it opens later is closed. What it returns gets the stream, from one goroutine, and is closed when nothing
	// comes any more. When its Write fails, which is logged, it is left alone for a
	// second and then tried again; what comes meanwhile is dropped and counted.
	Open() (io.WriteCloser, error)
}

// sink is where one stream goes. It calls user code, whose errors and panics are
// its own business: the process must not block because nobody reads.
type sink struct {
	p      *process
	name   string
	ctx    context.Context // for the handler
	logs   bool            // not to a writer
	log    slog.Handler
	named  bool        // it knows the pid
	writer io.Writer   // nil: log
	close  io.Closer   // of what was opened; or nil
	shared *sync.Mutex // of a writer that has both streams; or nil
	lines  splitter
	left   atomic.Bool // given up: nobody waits for it any more

	again  bool      // a Write that fails is tried again
	failed time.Time // when it did; zero: it did not
	lost   loss      // since then
	cut    bool      // in the middle of a line
	total  struct{ lines, bytes atomic.Int64 }
}

var errNothing = errors.New("Open returned neither a writer nor an error")

// openSink calls user code.
func (p *process) openSink(name string, w io.Writer) (*sink, error) {
	s := &sink{p: p, name: name, writer: w}
	if o, ok := w.(Opener); ok {
		opened, err := o.Open()
		if err == nil && opened == nil {
			err = errNothing
		}
		if err != nil {
			return nil, err
		}
		s.writer, s.close, s.again = opened, opened, true
	}
	if w == nil {
		s.logs, s.log = true, p.log.With("stream", name).Handler()
	}
	return s, nil
}

func (s *sink) take(b []byte) {
	if len(b) == 0 || s.left.Load() {
		return
	}
	if s.writer != nil {
		s.write(b)
		return
	}
	now := time.Now() // of all lines that were read at once
	s.lines.feed(b, func(line string) { s.line(now, line) })
}

// end flushes and closes.
func (s *sink) end() {
	s.lines.flush(func(line string) { s.line(time.Now(), line) })
	if c := s.close; c != nil {
		s.close = nil
		s.guarded("output not closed", c.Close)
	}
	s.tellLost()
}

// line logs. A panic loses the line, and nothing else.
func (s *sink) line(now time.Time, line string) {
	if s.left.Load() {
		return
	}
	defer s.logged()
	if !s.named { // the handler may prepare what all lines have
		s.named = true
		s.log = s.log.WithAttrs([]slog.Attr{slog.Int("pid", s.p.pid)})
	}
	if s.log.Enabled(s.ctx, slog.LevelInfo) {
		_ = s.log.Handle(s.ctx, slog.Record{Time: now, Level: slog.LevelInfo, Message: line})
	}
}

func (s *sink) logged() {
	_ = recover()
	s.p.moved()
}

func (s *sink) write(b []byte) {
	if s.shared != nil {
		s.shared.Lock()
		defer s.shared.Unlock()
	}
	defer s.p.moved()
	if !s.failed.IsZero() {
		if b = s.skip(b); len(b) == 0 {
			return
		}
	}
	wrote := 0
	ok := s.guarded("output not written", func() (err error) {
		wrote, err = s.writer.Write(b)
		return err
	})
	switch {
	case !ok && !s.again:
		s.writer = io.Discard
	case !ok:
		s.failed = time.Now()
		s.lose(b[min(max(wrote, 0), len(b)):])
	case !s.failed.IsZero():
		s.failed = time.Time{}
		s.tellLost()
	}
}

// skip loses what comes too soon after a failure, and the rest of a line.
func (s *sink) skip(b []byte) []byte {
	n := 0
	if s.cut {
		n = bytes.IndexByte(b, '\n') + 1
	}
	if s.cut && n == 0 || time.Since(s.failed) < writerWait {
		n = len(b)
	}
	s.lose(b[:n])
	return b[n:]
}

func (s *sink) lose(b []byte) {
	if len(b) == 0 {
		return
	}
	s.cut = b[len(b)-1] != '\n'
	l := loss{int64(bytes.Count(b, newline)), int64(len(b))}
	s.lost.add(l)
	s.total.lines.Add(l.lines)
	s.total.bytes.Add(l.bytes)
}

func (s *sink) tellLost() {
	s.tellDropped(s.lost)
	s.lost = loss{}
}

func (s *sink) tellDropped(l loss) {
	if l.bytes > 0 && !s.left.Load() {
		s.p.tell(s.ctx, slog.LevelWarn, "output dropped", slog.String("stream", s.name),
			slog.Int64("lines", l.lines), slog.Int64("bytes", l.bytes))
	}
}

// guarded tells how f failed. After a panic or a Goexit it is not called again.
func (s *sink) guarded(what string, f func() error) bool {
	returned := false
	defer func() {
		r := recover()
		if returned {
			return
		}
		s.writer, s.again = io.Discard, false
		var err error = actor.ErrGoexit
		if r != nil {
			err = actor.NewPanicError(r)
		}
		s.p.tell(context.Background(), slog.LevelError, what, slog.String("stream", s.name), slog.Any("error", err))
	}()
	err := f()
	returned = true
	if err != nil && s.failed.IsZero() {
		s.p.tell(context.Background(), slog.LevelWarn, what, slog.String("stream", s.name), slog.Any("error", err))
	}
	return err == nil
}
