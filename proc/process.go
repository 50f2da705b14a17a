package proc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coppice-go/coppice/actor"
)

// process is one run of a Command.
type process struct {
	cmd      *Command
	exec     *exec.Cmd
	pid      int
	log      *slog.Logger
	tail     tail
	outputs  []*output
	moves    atomic.Int64 // pieces of output that writers and loggers have taken
	wasReady bool         // of Serve's goroutine

	mu      sync.Mutex
	waiting Probe         // nil: ready
	ready   chan struct{} // closed when the probe says so

	exited chan struct{} // closed when the leader has ended
	state  *os.ProcessState
	waited error
	wait   func() // waits for the leader without taking a thread, where possible
}

// Serve starts the process and returns when its group is empty. With a context
// that has been cancelled it starts nothing.
func (c *Command) Serve(ctx context.Context) error {
	if err := c.Validate(); err != nil {
		return fmt.Errorf("start process: %w", err)
	}
	if ctx.Err() != nil {
		return nil
	}
	keeper.acquire()
	defer keeper.release()
	p, err := c.start(ctx)
	if err != nil {
		return fmt.Errorf("start %q: %w", c.Path, err)
	}
	actor.SetStatus(ctx, actor.Status{PID: p.pid})
	asked := p.serve(ctx)
	p.drain(ctx)
	if !asked {
		p.checkReady(ctx) // its last lines may have said so
	}
	var code *int
	if n := p.state.ExitCode(); n >= 0 {
		code = &n
	}
	actor.SetStatus(ctx, actor.Status{ExitCode: code})
	switch {
	case p.waited != nil:
		return fmt.Errorf("wait for %q: %w", c.Path, p.waited)
	case asked:
		return nil
	}
	return p.exitError(p.state)
}

// serve goes from the start to the empty group. It tells whether the stop was
// asked for.
func (p *process) serve(ctx context.Context) (asked bool) {
	ready := p.ready
	for {
		select {
		case <-ready:
			ready = nil
			p.checkReady(ctx)
		case <-p.exited:
			p.checkReady(ctx)
			p.stop(ctx, DefaultGrace)
			return ctx.Err() != nil
		case <-ctx.Done():
			p.stop(ctx, 0)
			return true
		}
	}
}

// checkReady tells the supervisor, once, what the probe has found.
func (p *process) checkReady(ctx context.Context) {
	select {
	case <-p.ready:
		if !p.wasReady {
			p.wasReady = true
			actor.Ready(ctx)
		}
	default:
	}
}

// stop empties the group: Signal first, then SIGKILL when grace has passed or
// the supervisor says so.
func (p *process) stop(ctx context.Context, grace time.Duration) {
	if p.gone() {
		return
	}
	kill := actor.Killed(ctx)
	if p.cmd.Grace > 0 {
		grace = p.cmd.Grace
	} else if kill == nil {
		grace = DefaultGrace
	}
	var expired <-chan time.Time
	if grace > 0 {
		timer := time.NewTimer(grace)
		defer timer.Stop()
		expired = timer.C
	}
	p.signal(p.cmd.signal())
	poll := pollStart
	for {
		timer := time.NewTimer(poll)
		select {
		case <-p.leader():
		case <-timer.C:
		case <-kill:
			kill, expired = nil, nil
			p.signal(syscall.SIGKILL)
		case <-expired:
			kill, expired = nil, nil
			p.signal(syscall.SIGKILL)
		}
		timer.Stop()
		if p.gone() {
			return
		}
		poll = min(2*poll, pollMax)
	}
}

const (
	pollStart = time.Millisecond
	pollMax   = 20 * time.Millisecond
)

// leader is p.exited until the leader has ended; then there is nothing to wait
// for but the clock.
func (p *process) leader() <-chan struct{} {
	select {
	case <-p.exited:
		return nil
	default:
		return p.exited
	}
}

// gone tells whether the leader has ended and its group is empty.
func (p *process) gone() bool {
	select {
	case <-p.exited:
		return groupEmpty(p.pid)
	default:
		return false
	}
}

func (p *process) signal(s syscall.Signal) {
	if err := signalGroup(p.exec.Process, s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.warn("signal not sent", slog.String("signal", s.String()), slog.Any("error", err))
	}
}

// tell logs. A panic of the logger's loses the line and nothing else.
func (p *process) tell(ctx context.Context, level slog.Level, text string, attrs ...slog.Attr) {
	defer func() { _ = recover() }()
	p.log.LogAttrs(ctx, level, text, append(attrs, slog.Int("pid", p.pid))...)
}

// warn is tell for Serve's goroutine, which a logger that blocks must not hold up.
func (p *process) warn(text string, attrs ...slog.Attr) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.tell(context.Background(), slog.LevelWarn, text, attrs...)
	}()
	timer := time.NewTimer(killWait)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

// probe shows a line to the probe, until it is satisfied.
func (p *process) probe(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting != nil && p.waiting.line(line) {
		p.waiting = nil
		close(p.ready)
	}
}

// drain waits until what the process wrote before its end is with the writers
// and loggers, as long as they get on with it. Once the stop was asked for they
// have writerWait for all of it.
func (p *process) drain(ctx context.Context) {
	for _, o := range p.outputs {
		o.ending = o.read.SetReadDeadline(time.Unix(1, 0)) == nil
	}
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

// leave gives outputs up whose writer does not return.
func (p *process) leave(outputs []*output) {
	for _, o := range outputs {
		select {
		case <-o.done:
			continue
		default:
		}
		o.left.Store(true)
		if o.ending {
			o.read.Close()
		}
		p.warn("output lost: not taken in time", slog.String("stream", o.name))
	}
}

// await runs in a goroutine of its own until the leader has ended.
func (p *process) await() {
	p.wait()
	p.state, p.waited = p.exec.Process.Wait()
	if p.state == nil {
		p.state = &os.ProcessState{}
	}
	close(p.exited)
}

// start starts the process, or says why it could not be.
func (c *Command) start(ctx context.Context) (*process, error) {
	if c.Dir != "" {
		if info, err := os.Stat(c.Dir); err != nil {
			return nil, fmt.Errorf("directory: %w", err)
		} else if !info.IsDir() {
			return nil, fmt.Errorf("directory: %s: %w", c.Dir, syscall.ENOTDIR)
		}
	}
	// The logger's handler is user code, so it comes before anything is held.
	log := c.logger()
	if id, ok := actor.Self(ctx); ok {
		log = log.With("path", id.Path)
	}
	p := &process{cmd: c, log: log, ready: make(chan struct{}), waiting: c.Ready, exited: make(chan struct{})}
	if c.Ready == nil {
		close(p.ready)
	}
	var writes []*os.File
	closeAll := func() {
		for _, f := range writes {
			f.Close()
		}
	}
	for _, s := range []struct {
		name   string
		writer io.Writer
	}{{"stdout", c.Stdout}, {"stderr", c.Stderr}} {
		r, w, err := os.Pipe()
		if err != nil {
			closeAll()
			p.closeReads()
			return nil, err
		}
		writes = append(writes, w)
		p.outputs = append(p.outputs, &output{p: p, name: s.name, read: r, writer: s.writer, done: make(chan struct{})})
	}
	if sameWriter(c.Stdout, c.Stderr) {
		p.outputs[0].shared = new(sync.Mutex)
		p.outputs[1].shared = p.outputs[0].shared
	}
	err := p.spawn(ctx, writes[0], writes[1])
	closeAll()
	if err != nil {
		p.closeReads()
		return nil, err
	}
	p.pid = p.exec.Process.Pid
	for _, o := range p.outputs {
		go o.run(context.WithoutCancel(ctx))
	}
	go p.await()
	return p, nil
}

func (p *process) closeReads() {
	for _, o := range p.outputs {
		o.read.Close()
	}
}

// spawn tries again, for a moment, where the system is only short of something.
func (p *process) spawn(ctx context.Context, stdout, stderr *os.File) error {
	for delay := 5 * time.Millisecond; ; delay *= 4 {
		p.exec = exec.Command(p.cmd.Path, p.cmd.Args...)
		p.exec.Dir, p.exec.Env = p.cmd.Dir, p.cmd.environ()
		p.exec.Stdout, p.exec.Stderr = stdout, stderr
		err := keeper.start(p)
		if err == nil || !transient(err) || delay > 100*time.Millisecond {
			return err
		}
		timer := time.NewTimer(delay)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}
