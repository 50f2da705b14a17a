package proc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/internal/inside"
	"github.com/coppice-go/coppice/proc/internal/keeper"
)

// process is one run of a Command.
type process struct {
	cmd      *Command
	child    *keeper.Process
	pid      int
	log      *slog.Logger
	tail     *tail
	input    *input
	notices  *notices // nil: it has no NOTIFY_SOCKET
	limits   limits
	errands  errands
	outputs  []*output
	mute     atomic.Bool // the logger blocks
	draining atomic.Bool
	moves    atomic.Int64 // pieces of output that writers and loggers have taken meanwhile
	wasReady bool         // of Serve's goroutine
	failure  *ProbeError  // why it was stopped, if that was a probe's doing; the same

	startedAt, endedAt time.Time // endedAt: of Serve's goroutine

	mu      sync.Mutex
	waiting liner         // nil: nothing to be shown
	ready   chan struct{} // closed when the probe says so
	isReady bool
}

// Serve starts the process and returns when it has ended and nothing is left of
// what it started. With a context that has been cancelled it starts nothing.
func (c *Command) Serve(ctx context.Context) error {
	if err := c.Validate(); err != nil {
		return fmt.Errorf("start process: %w", err)
	}
	if ctx.Err() != nil {
		return nil
	}
	defer hold(ctx)()
	makeRoom()
	p, err := c.start(ctx)
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("start %q: %w", c.Path, err)
	}
	defer p.child.Forget()
	actor.SetStatus(ctx, actor.Status{PID: p.pid, LastLines: p.tail.all})
	p.notices.listen(ctx)
	p.errands.begin(ctx)
	actor.Handle(ctx, p.answer)
	asked := p.serve(ctx)
	p.errands.end()
	p.input.close()
	p.notices.close()
	until := time.Now().Add(writerWait)
	p.drain(ctx)
	p.input.end()
	p.notices.end(until)
	if !asked && p.failure == nil {
		p.checkReady(ctx) // its last words may have said so
	}
	end := p.child.End()
	status, _ := p.notices.last()
	if end.Err != nil {
		actor.SetStatus(ctx, actor.Status{Text: status, LastLines: p.tail.all})
		if asked {
			return nil
		}
		return fmt.Errorf("wait for %q: %w", c.Path, end.Err)
	}
	exit := p.exit(end)
	actor.SetStatus(ctx, actor.Status{Text: status, Exit: &exit, LastLines: p.tail.all})
	if asked {
		return nil
	}
	err = p.exitError(exit)
	if p.failure == nil {
		return err
	}
	_ = errors.As(err, &p.failure.Exit)
	return p.failure
}

// held is the key under which the children of a tree share the parent of their
// processes.
type held struct{}

// hold keeps that parent for as long as the tree lives, or outside a tree until
// release is called.
func hold(ctx context.Context) (release func()) {
	if c := inside.From(ctx); c != nil && c.Hold(held{}, keeper.Hold) {
		return func() {}
	}
	return keeper.Hold()
}

// serve goes from the start until nothing is left. It tells whether the stop was
// asked for.
func (p *process) serve(ctx context.Context) (asked bool) {
	ready := p.ready
	health := p.watch()
	defer health.end()
	for {
		select {
		case <-ready:
			ready = nil
			p.checkReady(ctx)
		case p.failure = <-health.failed:
			p.stop(ctx, DefaultGrace)
			return ctx.Err() != nil
		case <-p.notices.bark():
			p.checkReady(ctx)
			if p.failure = p.notices.overdue(); p.failure != nil {
				p.stop(ctx, DefaultGrace)
				return ctx.Err() != nil
			}
		case <-p.child.Ended():
			p.noteEnd()
			p.errands.abort()
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
			p.notices.arm()
			actor.Ready(ctx)
		}
	default:
	}
}

func (p *process) signal(s syscall.Signal, to keeper.Scope) {
	if err := p.child.Signal(s, to); err != nil && !errors.Is(err, keeper.ErrGone) {
		p.warn("signal not sent", slog.String("signal", s.String()), slog.Any("error", err))
	}
}

// tell logs.
func (p *process) tell(ctx context.Context, level slog.Level, text string, attrs ...slog.Attr) {
	p.write(ctx, level, text, p.named(attrs))
}

// named adds the pid, once there is one.
func (p *process) named(attrs []slog.Attr) []slog.Attr {
	if p.pid == 0 {
		return attrs
	}
	return append(attrs, slog.Int("pid", p.pid))
}

// write loses the line if the logger panics, and nothing else.
func (p *process) write(ctx context.Context, level slog.Level, text string, attrs []slog.Attr) {
	defer func() { _ = recover() }()
	p.log.LogAttrs(ctx, level, text, attrs...)
}

// warn is tell for Serve's goroutine, which a logger that blocks must not hold up, and
// but once for a moment.
func (p *process) warn(text string, attrs ...slog.Attr) {
	attrs = p.named(attrs) // now: a logger that blocks may be at it when there is a pid
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.write(context.Background(), slog.LevelWarn, text, attrs)
	}()
	if !p.mute.Load() && !wait(killWait, done, nil) {
		p.mute.Store(true)
	}
}

// waits tells whether the probe is to be shown lines.
func (p *process) waits() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waiting != nil
}

// probe shows a line to the probe, until it is satisfied.
func (p *process) probe(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting != nil && p.waiting.line(line) {
		p.readyLocked()
	}
}

// satisfied tells whether the probe is.
func (p *process) satisfied() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.isReady
}

func (p *process) becomeReady() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.readyLocked()
}

func (p *process) readyLocked() {
	p.waiting = nil
	if !p.isReady {
		p.isReady = true
		close(p.ready)
	}
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
	for i, f := range c.Files {
		if _, err := f.Stat(); err != nil {
			return nil, fmt.Errorf("Files[%d]: %w", i, err)
		}
	}
	// The logger's handler is user code, so it comes before anything is held.
	log := c.logger()
	if id, ok := actor.Self(ctx); ok {
		log = log.With("path", id.Path)
	}
	p := &process{cmd: c, log: log, ready: make(chan struct{}), tail: newTail(c.TailLines)}
	p.waiting, _ = c.Ready.(liner)
	if c.Ready == nil {
		p.becomeReady()
	}
	a := &attempt{p: p}
	if err := a.open(ctx); err != nil {
		return nil, err
	}
	err := p.spawn(ctx, a.files)
	if err == nil {
		p.pid, p.startedAt = p.child.PID, p.child.Began
	}
	a.end(err == nil)
	if err != nil {
		p.notices.abandon()
		return nil, err
	}
	return p, nil
}

// spawn starts the process, with what it is given.
func (p *process) spawn(ctx context.Context, files []*os.File) error {
	if err := p.openNotices(); err != nil {
		return err
	}
	spec, err := p.cmd.spec(p.notices.env()...)
	if err != nil {
		return err
	}
	p.notices.of(spec.Setup)
	spec.Files = files
	p.child, err = keeper.Persist(ctx, spec, transient, p.unguarded)
	return p.cmd.explain(spec.Path, err)
}

// spec is what to start, as os/exec sees it, with env told to it last.
func (c *Command) spec(env ...string) (keeper.Spec, error) {
	a, err := c.account()
	if err != nil {
		return keeper.Spec{}, err
	}
	e := exec.Command(c.Path, c.Args...)
	e.Dir = c.Dir
	env, other := c.environ(a, env)
	if e.Env = env; other {
		env = e.Environ() // of each key the last
	}
	return keeper.Spec{Path: e.Path, Args: e.Args, Env: env, Dir: c.Dir, Setup: c.setup(a)}, e.Err
}

func (p *process) unguarded(err error) {
	p.warn("what leaves its group may be left behind", slog.Any("error", err))
}

// transient is what the system is only short of.
func transient(err error) bool {
	for _, short := range []error{syscall.EAGAIN, syscall.ENOMEM, syscall.EMFILE, syscall.ENFILE, errTextBusy, keeper.ErrLost} {
		if errors.Is(err, short) {
			return true
		}
	}
	return false
}

// makeRoom has the stack of the goroutine grow once, now that there is little on it,
// to what a start needs, and not step by step in the midst of it.
//
//go:noinline
func makeRoom() {
	var room [6 << 10]byte
	runtime.KeepAlive(&room)
}
