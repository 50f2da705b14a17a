package proc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"syscall"
	"time"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/proc/internal/keeper"
)

// StopStep is a way to ask a process to stop. The zero value sends SIGTERM to its
// group and waits for as long as there is.
type StopStep struct {
	// Signal is sent to Scope. 0: SIGTERM.
	Signal syscall.Signal
	Scope  Scope

	// Command is a program and its arguments, run instead, with the directory,
	// environment and user of the process, and its pid in MAINPID, unless it has ended
	// and only what it has left behind is to be stopped. It is killed when
	// its time is over. An error of it is logged, and the next step waits all the same.
	Command []string

	// Wait is the time before the next step, or, after the last, before SIGKILL to
	// all. 0: until the grace is over.
	Wait time.Duration
}

func (s *StopStep) validate() error {
	_, noScope := s.Scope.keeper()
	switch {
	case s.Signal < 0 || s.Signal > maxSignal:
		return fmt.Errorf("Signal: no such signal: %d", int(s.Signal))
	case s.Signal != 0 && s.Command != nil:
		return errors.New("Signal and Command are both set")
	case s.Scope != Group && s.Command != nil:
		return errors.New("Scope and Command are both set")
	case noScope != nil:
		return fmt.Errorf("Scope: %w", noScope)
	case s.Wait < 0:
		return fmt.Errorf("Wait: negative: %v", s.Wait)
	}
	return validateWords(s.Command)
}

func (c *Command) validateStop() error {
	if len(c.Stop) > 0 && c.Signal != 0 {
		return errors.New("Stop and Signal are both set")
	}
	for i := range c.Stop {
		if err := c.Stop[i].validate(); err != nil {
			return fmt.Errorf("Stop[%d]: %w", i, err)
		}
	}
	return nil
}

// stopping is a stop that goes on.
type stopping struct {
	p      *process
	steps  []StopStep // still to come
	signal syscall.Signal
	rest   keeper.Scope       // who has not had it when the process itself ends
	due    <-chan time.Time   // of the next step
	undue  func()             // the end of due
	cancel context.CancelFunc // of a Command
	done   chan struct{}
}

// next takes the next step; false: there is none. With orphans, the process
// itself has ended.
func (s *stopping) next(orphans bool) bool {
	s.end()
	if len(s.steps) == 0 {
		return false
	}
	step := s.steps[0]
	s.steps = s.steps[1:]
	if step.Wait > 0 {
		timer := time.NewTimer(step.Wait)
		s.due, s.undue = timer.C, s.p.limits.begin(timer, step.Wait)
	}
	if s.signal = step.Signal; s.signal == 0 {
		s.signal = syscall.SIGTERM
	}
	scope, _ := step.Scope.keeper()
	if s.rest = keeper.All; scope == keeper.Group && step.Command == nil {
		s.rest = keeper.Others
	}
	switch {
	case step.Command != nil:
		s.run(step.Command)
	case orphans:
		s.p.signal(s.signal, keeper.All)
	default:
		s.p.signal(s.signal, scope)
	}
	return true
}

func (s *stopping) run(command []string) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	s.cancel, s.done = cancel, done
	p := s.p
	go func() {
		defer close(done)
		if err := p.beside(ctx, command[0], command[1:], p.mainPID()...); err != nil && ctx.Err() == nil {
			p.warn("stop command failed", slog.Any("error", err))
		}
	}()
}

// end is the end of a step.
func (s *stopping) end() {
	if s.undue != nil {
		s.undue()
		s.due, s.undue = nil, nil
	}
	if s.cancel != nil {
		s.cancel()
		<-s.done
		s.cancel = nil
	}
}

// stop ends the process and all that descends from it, step by step; what has left
// its group is asked when the process itself has ended. SIGKILL to all follows
// when the last step's time or the grace is over, or the supervisor says so.
func (p *process) stop(ctx context.Context, grace time.Duration) {
	if p.child.Gone() {
		p.noteEnd()
		return
	}
	kill := actor.Killed(ctx)
	if p.cmd.Grace > 0 {
		grace = p.cmd.Grace
	} else if kill == nil {
		grace = DefaultGrace
	}
	p.limits.forget()
	var expired <-chan time.Time
	if grace > 0 {
		timer := time.NewTimer(grace)
		defer p.limits.begin(timer, grace)()
		expired = timer.C
	}
	steps := stopping{p: p, steps: p.cmd.Stop}
	if len(steps.steps) == 0 {
		steps.steps = []StopStep{{Signal: p.cmd.Signal}}
	}
	defer steps.end()
	steps.next(false)
	killing, told := false, false
	ended := p.child.Ended()
	for poll := pollStart; ; poll = min(2*poll, pollMax) {
		timer := time.NewTimer(poll)
		select {
		case <-ended:
			ended = nil
			p.noteEnd()
		case <-timer.C:
		case <-steps.due:
			killing = !steps.next(ended == nil)
		case <-kill:
			killing = true
		case <-expired:
			killing = true
		}
		timer.Stop()
		switch {
		case killing: // again each time: one may have been born meanwhile
			kill, expired = nil, nil
			steps.steps = nil
			steps.end()
			p.signal(syscall.SIGKILL, keeper.All)
		case ended == nil && !told:
			told = true
			p.signal(steps.signal, steps.rest)
		}
		if p.child.Gone() {
			p.noteEnd()
			return
		}
	}
}

// noteEnd is called when the process itself has ended.
func (p *process) noteEnd() {
	if p.endedAt.IsZero() {
		p.endedAt = time.Now()
	}
}

const (
	pollStart = time.Millisecond
	pollMax   = 20 * time.Millisecond
)
