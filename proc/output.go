package proc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coppice-go/coppice/actor"
)

const (
	readSize = 64 << 10 // what a pipe holds by default

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
	read   *os.File
	write  *os.File // the process's end, until it has it
	conn   syscall.RawConn
	sink   *sink
	queue  *queue // nil: back-pressure
	index  int    // 0: stdout, 1: stderr
	tail   tailing
	lines  splitter // for the probe
	rests  []byte   // of what was read, when the logger called runtime.Goexit
	bytes  atomic.Int64
	ending bool          // may be closed while it is read; of Serve's goroutine
	done   chan struct{} // closed when the sink has all, and is closed
}

// openOutputs returns what the process gets for stdout and stderr.
func (a *attempt) openOutputs(ctx context.Context) (files [2]*os.File, err error) {
	p := a.p
	for i, s := range p.cmd.streams() {
		if f, ok := s.writer.(*os.File); ok { // handed over as it is
			if _, err := f.Stat(); err != nil {
				return files, fmt.Errorf("%s: %w", s.field, err)
			}
			files[i] = f
			continue
		}
		o := &output{p: p, index: i, tail: tailing{tail: p.tail, stderr: i == 1}, done: make(chan struct{})}
		err := a.call(s.field, func() (err error) {
			o.sink, err = p.openSink(s.name, s.writer)
			return err
		})
		if err != nil {
			return files, err
		}
		a.releases = append(a.releases, o.abandon)
		o.sink.ctx = context.WithoutCancel(ctx)
		if p.cmd.Overflow == Drop {
			o.queue = newQueue(p.cmd.buffer())
		}
		p.outputs = append(p.outputs, o)
		if o.read, o.write, err = pipe(); err != nil {
			return files, err
		}
		if o.conn, err = o.read.SyscallConn(); err != nil {
			return files, err
		}
		files[i] = o.write
	}
	if len(p.outputs) == 2 && sameWriter(p.outputs[0].sink.writer, p.outputs[1].sink.writer) {
		p.outputs[0].sink.shared = new(sync.Mutex)
		p.outputs[1].sink.shared = p.outputs[0].sink.shared
	}
	return files, nil
}

// runOutputs is called when the process has got its ends.
func (p *process) runOutputs() {
	for _, o := range p.outputs {
		o.write.Close()
		go o.run()
		if o.queue != nil {
			go o.consume()
		}
	}
}

// abandon is for a process that could not be started.
func (o *output) abandon() {
	o.write.Close() // of nil: an error
	o.read.Close()
	o.sink.end()
}

// sameWriter is false also for what cannot be compared.
func sameWriter(a, b io.Writer) bool {
	defer func() { _ = recover() }()
	return a != nil && a == b
}

func (o *output) run() {
	finished := false
	defer func() {
		if !finished { // the writer or the logger called runtime.Goexit
			go o.run()
			return
		}
		o.read.Close()
		if o.queue == nil {
			close(o.done)
		}
	}()
	if o.queue == nil {
		o.sink.take(o.sink.lines.again())
	}
	o.hand(o.rests)
	o.readAll()
	o.tail.flush()
	if o.queue != nil {
		o.queue.end()
	}
	defer o.lines.flush(o.p.probe) // then: what follows from a line comes after it
	if o.queue == nil {
		o.sink.end()
	}
	finished = true
}

func (o *output) readAll() {
	var r reader
	for {
		b, err := r.wait(o)
		o.take(b)
		r.release()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			o.rest(&r)
		}
		if err != nil {
			return
		}
	}
}

// rest reads what is in the pipe and does not wait for more.
func (o *output) rest(r *reader) {
	if o.read.SetReadDeadline(time.Time{}) != nil {
		return
	}
	for sum := 0; sum < maxRest; {
		b := r.now(o)
		if len(b) == 0 {
			return
		}
		sum += len(b)
		o.take(b)
		r.release()
	}
}

// take takes what was read.
func (o *output) take(b []byte) {
	o.bytes.Add(int64(len(b)))
	if len(b) > 0 {
		o.tail.feed(b)
		o.hand(b)
	}
}

// hand passes on what was read. As long as a probe waits for a line, line by line,
// so that what follows from a line comes after it, and not after all that was
// read with it.
func (o *output) hand(b []byte) {
	defer func() { o.rests = b }()
	for len(b) > 0 && o.p.waits() {
		n := bytes.IndexByte(b, '\n') + 1
		if n == 0 {
			n = len(b)
		}
		line := b[:n]
		b = b[n:]
		o.show(line)
	}
	last := b
	b = nil
	if len(last) > 0 {
		o.pass(last)
	}
}

// show passes on and tells the probe, also if the writer or the logger never returns.
func (o *output) show(b []byte) {
	defer o.lines.feed(b, o.p.probe)
	o.pass(b)
}

func (o *output) pass(b []byte) {
	if o.queue == nil {
		o.sink.take(b)
	} else {
		o.queue.push(b)
	}
}

// consume empties the queue.
func (o *output) consume() {
	finished := false
	defer func() {
		if !finished { // the writer or the logger called runtime.Goexit
			go o.consume()
			return
		}
		close(o.done)
	}()
	o.sink.take(o.sink.lines.again())
	for more := true; more; {
		var batch []byte
		var lost loss
		batch, lost, more = o.queue.next()
		o.sink.take(batch)
		o.sink.tellDropped(lost)
	}
	o.sink.end()
	finished = true
}

// written may be called by anybody.
func (p *process) written() (w [2]Written) {
	for _, o := range p.outputs {
		l := o.queue.dropped()
		l.add(loss{o.sink.total.lines.Load(), o.sink.total.bytes.Load()})
		w[o.index] = Written{Bytes: o.bytes.Load(), DroppedBytes: l.bytes, DroppedLines: l.lines}
	}
	return w
}

// drain waits until what the process wrote before its end is with the writers
// and loggers, as long as they get on with it. Once the stop was asked for they
// have writerWait for all of it.
func (p *process) drain(ctx context.Context) {
	for _, o := range p.outputs {
		o.ending = o.read.SetReadDeadline(time.Unix(1, 0)) == nil
	}
	p.draining.Store(true)
	killed := actor.Killed(ctx)
	ticker := time.NewTicker(writerWait)
	defer ticker.Stop()
	moves := p.moves.Load()
	for i := 0; i < len(p.outputs); {
		select {
		case <-p.outputs[i].done:
			i++
		case <-killed:
			killed = nil
			ticker.Reset(killWait)
		case <-ticker.C:
			before := moves
			if moves = p.moves.Load(); moves == before || ctx.Err() != nil {
				p.leave(p.outputs[i:])
				return
			}
		}
	}
}

// moved is called when a writer or a logger has taken something.
func (p *process) moved() {
	if p.draining.Load() { // cheap for as long as nobody wants to know
		p.moves.Add(1)
	}
}

// leave gives outputs up whose writer does not return.
func (p *process) leave(outputs []*output) {
	for _, o := range outputs {
		select {
		case <-o.done:
			continue
		default:
		}
		o.sink.left.Store(true)
		if o.sink.logs {
			p.mute.Store(true)
		}
		if o.ending {
			o.read.Close()
		}
		p.warn("output lost: not taken in time", slog.String("stream", o.sink.name))
	}
}
