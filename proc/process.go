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
	wasReady bool // of Serve's goroutine

	mu      sync.Mutex
	waiting Probe         // nil: ready
	ready   chan struct{} // closed when the probe says so

	exited chan struct{} // closed when the leader has ended
	state  *os.ProcessState
	waited error
	wait   func() // waits for the leader without taking a thread, where possible
}

// Serve starts the process and returns when its group is empty.
func (c *Command) Serve(ctx context.Context) error {
	if err := c.Validate(); err != nil {
		return fmt.Errorf("start process: %w", err)
	}
	keeper.acquire()
	defer keeper.release()
	p, err := c.start(ctx)
	if err != nil {
		return fmt.Errorf("start %q: %w", c.Path, err)
	}
	actor.SetStatus(ctx, actor.Status{PID: p.pid})
	asked := p.serve(ctx)
	p.drain()
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
			p.wasReady = true
			actor.Ready(ctx)
		case <-p.exited:
			select {
			case <-ready: // it said so before it ended
				p.wasReady = true
				actor.Ready(ctx)
			default:
			}
			p.stop(ctx, DefaultGrace)
			return ctx.Err() != nil
		case <-ctx.Done():
			p.stop(ctx, 0)
			return true
		}
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
		p.log.Warn("signal not sent", "signal", s.String(), "error", err)
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

// drain reads what was written before the end, and no longer than it must.
func (p *process) drain() {
	for _, o := range p.outputs {
		_ = o.read.SetReadDeadline(time.Now().Add(drainTime))
	}
	timer := time.NewTimer(drainTime + writerWait)
	defer timer.Stop()
	for _, o := range p.outputs {
		select {
		case <-o.done:
		case <-timer.C:
			p.log.Warn("output still being written", "stream", o.name)
			return
		}
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
	p := &process{cmd: c, ready: make(chan struct{}), waiting: c.Ready, exited: make(chan struct{})}
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
	err := p.spawn(ctx, writes[0], writes[1])
	closeAll()
	if err != nil {
		p.closeReads()
		return nil, err
	}
	p.pid = p.exec.Process.Pid
	p.log = c.logger().With("pid", p.pid)
	if id, ok := actor.Self(ctx); ok {
		p.log = p.log.With("path", id.Path)
	}
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
