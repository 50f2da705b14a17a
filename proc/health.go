package proc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/coppice-go/coppice/actor"
)

// Defaults of Command and Liveness.
const (
	DefaultReadyInterval = 100 * time.Millisecond
	DefaultAliveInterval = 10 * time.Second
	DefaultAliveTimeout  = time.Second
	DefaultAliveFailures = 3

	readyTry = 5 * time.Second // the longest that one try may take
)

var (
	// ErrNotReady is the end of a process that was not ready within ReadyTimeout.
	ErrNotReady = errors.New("not ready in time")
	// ErrNotAlive is the end of a process that failed its liveness checks.
	ErrNotAlive = errors.New("not alive")
)

// Liveness says how a process is checked once it is ready. One that fails is
// stopped, and that is an abnormal end.
type Liveness struct {
	// Probe is asked. One that can only tell of the start, such as LogLine, is
	// refused.
	Probe Probe

	// Interval is the time between checks. 0: 10 s.
	Interval time.Duration

	// Timeout bounds a check. 0: 1 s.
	Timeout time.Duration

	// Failures is how many in a row it takes. 0: 3.
	Failures int
}

func (l *Liveness) validate() error {
	switch {
	case l.Probe == nil:
		return errors.New("Probe: nil")
	case l.Interval < 0:
		return fmt.Errorf("Interval: negative: %v", l.Interval)
	case l.Timeout < 0:
		return fmt.Errorf("Timeout: negative: %v", l.Timeout)
	case l.Failures < 0:
		return fmt.Errorf("Failures: negative: %d", l.Failures)
	}
	_, asks := l.Probe.(asker)
	if _, notify := l.Probe.(interface{ notifies() }); notify {
		return fmt.Errorf("Probe: %v tells only of the start: see Watchdog", l.Probe)
	}
	if _, file := l.Probe.(interface{ onlyOfStart() }); !asks || file {
		return fmt.Errorf("Probe: %v tells only of the start", l.Probe)
	}
	return validProbe(l.Probe)
}

func (l Liveness) withDefaults() Liveness {
	if l.Interval == 0 {
		l.Interval = DefaultAliveInterval
	}
	if l.Timeout == 0 {
		l.Timeout = DefaultAliveTimeout
	}
	if l.Failures == 0 {
		l.Failures = DefaultAliveFailures
	}
	return l
}

// ProbeError is the end of a process that was stopped because of a probe. It is
// ErrNotReady or ErrNotAlive, and matches what the probe said last, and how the
// process ended.
type ProbeError struct {
	Path   string // as in Command.Path
	Reason error  // ErrNotReady or ErrNotAlive
	Probe  string
	Last   error      // nil: there was no answer
	Exit   *ExitError // how it ended when it was told to; nil: as if nothing was wrong
}

// Error tells the program, the probe, and what it said last.
func (e *ProbeError) Error() string {
	text := fmt.Sprintf("%s: %v: %s", e.Path, e.Reason, e.Probe)
	if e.Last != nil {
		text += ": " + e.Last.Error()
	}
	return text
}

// Unwrap returns ErrNotReady or ErrNotAlive, Exit and Last, in this order: the
// probe may have been a process, too.
func (e *ProbeError) Unwrap() []error {
	errs := []error{e.Reason}
	if e.Exit != nil {
		errs = append(errs, e.Exit)
	}
	if e.Last != nil {
		errs = append(errs, e.Last)
	}
	return errs
}

// health watches over a process from its start to the first request to stop. Its
// fields are of Serve's goroutine.
type health struct {
	p      *process
	cancel context.CancelFunc
	over   chan struct{} // closed when the prober has returned
	failed chan *ProbeError
}

// watch begins to ask for readiness. What it asks is no part of the child, so it
// gets nothing of the child's context.
func (p *process) watch() *health {
	h := &health{p: p, over: make(chan struct{}), failed: make(chan *ProbeError, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	h.cancel = cancel
	if !p.cmd.asks() {
		close(h.over)
		return h
	}
	go func() {
		defer close(h.over)
		if err := h.run(ctx); err != nil {
			h.failed <- err
		}
	}()
	return h
}

// asks tells whether there is anything to ask or to wait for.
func (c *Command) asks() bool {
	_, asks := c.Ready.(asker)
	return asks || c.ReadyTimeout > 0 || c.Alive != nil
}

// end waits for a check that is under way.
func (h *health) end() {
	h.cancel()
	<-h.over
}

// run is nil when there is nothing more to ask.
func (h *health) run(ctx context.Context) *ProbeError {
	if err := h.awaitReady(ctx); err != nil {
		return err
	}
	if ctx.Err() != nil || h.p.cmd.Alive == nil {
		return nil
	}
	return h.keepAsking(ctx, h.p.cmd.Alive.withDefaults())
}

func (h *health) awaitReady(ctx context.Context) *ProbeError {
	p, c := h.p, h.p.cmd
	if c.ReadyTimeout > 0 {
		var cancel context.CancelCauseFunc
		ctx, cancel = context.WithCancelCause(ctx)
		defer cancel(nil)
		timer := time.AfterFunc(c.ReadyTimeout, func() { cancel(ErrNotReady) })
		defer p.limits.begin(timer, c.ReadyTimeout)()
	}
	var last error
	if probe, ok := c.Ready.(asker); ok {
		every := c.ReadyInterval
		if every == 0 {
			every = DefaultReadyInterval
		}
		last = h.askUntilReady(ctx, probe, every)
	}
	select {
	case <-p.ready:
	case <-ctx.Done():
	}
	if p.satisfied() || !errors.Is(context.Cause(ctx), ErrNotReady) {
		return nil
	}
	if last == nil {
		last = p.notices.complaint()
	}
	return &ProbeError{Path: c.Path, Reason: ErrNotReady, Probe: fmt.Sprint(c.Ready), Last: last}
}

// askUntilReady returns what the probe said last, if it was not satisfied.
func (h *health) askUntilReady(ctx context.Context, probe asker, every time.Duration) (last error) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for ctx.Err() == nil {
		err := h.ask(ctx, probe, readyTry)
		if err == nil {
			h.p.becomeReady()
			return nil
		}
		if last == nil || ctx.Err() == nil && !os.IsTimeout(err) { // cut short by the end of all tries, it tells less
			last = err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
	return last
}

func (h *health) keepAsking(ctx context.Context, l Liveness) *ProbeError {
	ticker := time.NewTicker(l.Interval)
	defer ticker.Stop()
	for failures := 0; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		err := h.ask(ctx, l.Probe.(asker), l.Timeout)
		if ctx.Err() != nil {
			return nil
		}
		if err == nil {
			failures = 0
			continue
		}
		if failures++; failures >= l.Failures {
			return &ProbeError{Path: h.p.cmd.Path, Reason: ErrNotAlive, Probe: fmt.Sprint(l.Probe), Last: err}
		}
	}
}

func (h *health) ask(ctx context.Context, probe asker, limit time.Duration) (err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	defer func() {
		if r := recover(); r != nil {
			err = actor.NewPanicError(r)
		}
	}()
	return probe.ask(ctx, h.p)
}
