package actor

import (
	"errors"
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
	end := End{Class: classify(err, asked, ready), Err: err}
	switch end.Class {
	case ClassIgnore:
		end.Err = nil
	case ClassStartFailed, ClassAbnormal:
		if err == nil {
			end.Err = ErrNotReady
		}
		end.Escalate = isEscalate(err)
		var r *RetryAfterError
		if errors.As(err, &r) {
			end.RetryAfter = r.Delay
		}
	}
	return end
}

func classify(err error, asked, ready bool) Class {
	var panicked *PanicError
	died := errors.As(err, &panicked) || errors.Is(err, ErrGoexit)
	switch {
	case asked && died:
		return ClassAbnormal
	case asked:
		return ClassShutdown
	case !ready && errors.Is(err, ErrIgnore) && !died && !isFailure(err):
		return ClassIgnore
	case !ready:
		return ClassStartFailed
	case err == nil:
		return ClassNormal
	case died, isFailure(err), !errors.Is(err, ErrShutdown):
		return ClassAbnormal
	}
	return ClassShutdown
}

// isFailure tells whether err says so itself, whatever else it wraps.
func isFailure(err error) bool {
	var r *RetryAfterError
	return isEscalate(err) || errors.As(err, &r)
}

func isEscalate(err error) bool {
	var e *EscalateError
	return errors.As(err, &e)
}

// NewPanicError keeps a recovered value and the stack of the calling goroutine.
// Call it in the deferred function that recovered.
func NewPanicError(value any) *PanicError {
	return &PanicError{Value: value, Stack: debug.Stack()}
}
