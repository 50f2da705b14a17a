package actor

import (
	"errors"
	"fmt"
	"time"
)

// Errors a child returns to steer its supervisor. They may be wrapped.
var (
	// ErrShutdown ends a child in order: a Transient child is not restarted.
	// OTP's reason shutdown. See Shutdown for one with a cause.
	ErrShutdown = errors.New("shutdown")

	// ErrIgnore, returned before Ready, says that there is nothing to run: the
	// child counts as started and has no incarnation. A child that does not
	// announce itself may return it at any time. OTP's ignore.
	ErrIgnore = errors.New("ignore")
)

// Errors by which a supervisor tells of ends that were not returned.
var (
	// ErrGoexit is the end of a child that called runtime.Goexit.
	ErrGoexit = errors.New("goroutine ended by runtime.Goexit")

	// ErrStuck says that a child was asked to stop and did not within its
	// grace. A start fails with it while such an incarnation is alive.
	ErrStuck = errors.New("stuck: asked to stop and still running")

	// ErrKilled is the end of a child under a brutal stop: cancelled and, if it
	// cannot be killed, left alone at once.
	ErrKilled = errors.New("killed")

	// ErrNoHeartbeat is the failure of a child that promised a beat and missed it.
	ErrNoHeartbeat = errors.New("heartbeat missed")

	// ErrStartTimeout is the start failure of a child that was not ready in time.
	ErrStartTimeout = errors.New("not ready within the start timeout")

	// ErrNotReady is the start failure of a child that returned nil before it
	// was ready.
	ErrNotReady = errors.New("ended before it was ready")
)

// Shutdown returns an error that ends a child in order and keeps err as the
// cause: it matches both ErrShutdown and err. Shutdown(nil) is ErrShutdown. OTP's
// reason {shutdown, Term}.
func Shutdown(err error) error {
	if err == nil {
		return ErrShutdown
	}
	return &shutdownError{err}
}

type shutdownError struct{ err error }

func (e *shutdownError) Error() string   { return "shutdown: " + e.err.Error() }
func (e *shutdownError) Unwrap() []error { return []error{ErrShutdown, e.err} }

// EscalateError is made by Escalate.
type EscalateError struct{ Err error }

func (e *EscalateError) Error() string { return fmt.Sprintf("escalate: %v", e.Err) }
func (e *EscalateError) Unwrap() error { return e.Err }

// Escalate returns an error that a restart cannot mend: the supervisor does not
// retry, it stops its children and ends abnormally with err, one level up. A nil
// err becomes an unnamed failure.
func Escalate(err error) error {
	if err == nil {
		err = errors.New("unrecoverable failure")
	}
	return &EscalateError{err}
}

// RetryAfterError is made by RetryAfter.
type RetryAfterError struct {
	Delay time.Duration
	Err   error
}

func (e *RetryAfterError) Error() string {
	return fmt.Sprintf("%v (retry after %v)", e.Err, e.Delay)
}
func (e *RetryAfterError) Unwrap() error { return e.Err }

// RetryAfter returns an abnormal end whose next start comes no sooner than d,
// whatever the child's own delay is. A negative d is 0; a nil err becomes an
// unnamed failure.
func RetryAfter(d time.Duration, err error) error {
	if err == nil {
		err = errors.New("temporary failure")
	}
	return &RetryAfterError{max(d, 0), err}
}

// PanicError is the end of a child that panicked. It unwraps to Value if that is
// an error.
type PanicError struct {
	Value any
	Stack []byte // of the panicking goroutine, whole
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}
