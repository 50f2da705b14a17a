package actor

import (
	"fmt"
	"runtime/debug"
	"time"
)

// Class is how a supervisor reads the end of a child.
type Class uint8

const (
	// ClassNormal: the child is done. Only Permanent children are restarted.
	ClassNormal Class = iota
	// ClassShutdown: it ended in order. Only Permanent children are restarted,
	// and none whose stop the supervisor asked for.
	ClassShutdown
	// ClassAbnormal: it failed. Permanent and Transient children are restarted.
	ClassAbnormal
	// ClassIgnore: it had nothing to run.
	ClassIgnore
	// ClassStartFailed: it ended before it was ready.
	ClassStartFailed
)

var classNames = [...]string{"normal", "shutdown", "abnormal", "ignore", "start failed"}

func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return fmt.Sprintf("Class(%d)", c)
}

// MarshalText writes the class as its name.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// End is the end of one incarnation.
type End struct {
	Class Class
	// Err is what was returned, a *PanicError, ErrGoexit or another failure;
	// nil after a plain return.
	Err error
	// Escalate: the failure must climb instead of being retried.
	Escalate bool
	// RetryAfter is the least time until the next start that the child asked for.
	RetryAfter time.Duration
}

// Classify reads what a child returned. asked tells that it had been asked to
// stop, ready that it had been started before it ended.
func Classify(err error, asked, ready bool) End {
	var s signs
	s.read(err)
	end := End{Class: s.class(err, asked, ready), Err: err}
	switch end.Class {
	case ClassIgnore:
		end.Err = nil
	case ClassStartFailed, ClassAbnormal:
		if err == nil {
			end.Err = ErrNotReady
		}
		end.Escalate = s.escalates
		if s.retry != nil {
			end.RetryAfter = s.retry.Delay
		}
	}
	return end
}

func (s *signs) class(err error, asked, ready bool) Class {
	switch {
	case asked && s.died:
		return ClassAbnormal
	case asked:
		return ClassShutdown
	case !ready && s.ignore && !s.died && !s.failed():
		return ClassIgnore
	case !ready:
		return ClassStartFailed
	case err == nil:
		return ClassNormal
	case s.died, s.failed(), !s.shutdown:
		return ClassAbnormal
	}
	return ClassShutdown
}

// signs are what an error and those it wraps say.
type signs struct {
	died, ignore, shutdown, escalates bool
	retry                             *RetryAfterError // the first
}

// failed tells whether the error says so itself, whatever else it wraps.
func (s *signs) failed() bool { return s.escalates || s.retry != nil }

// read finds in one walk what errors.Is and errors.As would in six.
func (s *signs) read(err error) {
	for err != nil {
		switch e := err.(type) {
		case *PanicError:
			s.died = true
		case *EscalateError:
			s.escalates = true
		case *RetryAfterError:
			if s.retry == nil {
				s.retry = e
			}
		}
		s.died = s.died || err == ErrGoexit
		s.ignore = s.ignore || err == ErrIgnore
		s.shutdown = s.shutdown || err == ErrShutdown
		s.ask(err)
		switch e := err.(type) {
		case interface{ Unwrap() error }:
			err = e.Unwrap()
		case interface{ Unwrap() []error }:
			for _, err := range e.Unwrap() {
				s.read(err)
			}
			return
		default:
			return
		}
	}
}

// ask asks an error that has a mind of its own about what it is.
func (s *signs) ask(err error) {
	if e, ok := err.(interface{ Is(error) bool }); ok {
		s.died = s.died || e.Is(ErrGoexit)
		s.ignore = s.ignore || e.Is(ErrIgnore)
		s.shutdown = s.shutdown || e.Is(ErrShutdown)
	}
	if e, ok := err.(interface{ As(any) bool }); ok {
		var (
			panicked  *PanicError
			escalated *EscalateError
			retry     *RetryAfterError
		)
		s.died = s.died || e.As(&panicked)
		s.escalates = s.escalates || e.As(&escalated)
		if s.retry == nil && e.As(&retry) {
			s.retry = retry
		}
	}
}

// NewPanicError keeps a recovered value and the stack of the calling goroutine.
// Call it in the deferred function that recovered.
func NewPanicError(value any) *PanicError {
	return &PanicError{Value: value, Stack: debug.Stack()}
}
