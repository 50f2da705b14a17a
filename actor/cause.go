package actor

import (
	"errors"
	"fmt"
)

// Why a child is asked to stop: context.Cause of its context matches exactly one
// of these with errors.Is.
var (
	// ErrStopping: its supervisor is stopping.
	ErrStopping = errors.New("supervisor is stopping")
	// ErrSiblingFailed: a sibling failed and the strategy takes this child along.
	ErrSiblingFailed = errors.New("sibling failed")
	// ErrRemoved: the child was terminated or deleted by request.
	ErrRemoved = errors.New("terminated by request")
	// ErrReplaced: a request replaces this incarnation by a new one.
	ErrReplaced = errors.New("replaced by request")
	// ErrUnhealthy: it missed a heartbeat or was not ready in time.
	ErrUnhealthy = errors.New("unhealthy")
	// ErrEnded: the incarnation has already ended; seen by what it left behind.
	ErrEnded = errors.New("ended")
)

// StopCause is the context.Cause of a child that was asked to stop.
type StopCause struct {
	Reason error  // one of ErrStopping, ErrSiblingFailed, ErrRemoved, ErrReplaced, ErrUnhealthy, ErrEnded
	Path   string // who it began with: the failed sibling, or the supervisor
	Err    error  // the failure behind it; nil if there is none
}

func (c *StopCause) Error() string {
	s := c.Reason.Error()
	if c.Path != "" {
		s += " (" + c.Path + ")"
	}
	if c.Err != nil {
		s = fmt.Sprintf("%s: %v", s, c.Err)
	}
	return s
}

func (c *StopCause) Unwrap() []error {
	if c.Err == nil {
		return []error{c.Reason}
	}
	return []error{c.Reason, c.Err}
}
