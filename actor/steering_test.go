package actor_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
)

// Errors that steer may be wrapped in one another, and joined with others.
func TestSteeringErrorsTogether(t *testing.T) {
	panicked := actor.NewPanicError("p")
	for name, c := range map[string]struct {
		err      error
		class    actor.Class
		escalate bool
		after    time.Duration
	}{
		"escalate joined":           {errors.Join(errBoom, actor.Escalate(errBoom)), actor.ClassAbnormal, true, 0},
		"escalate, later":           {actor.Escalate(actor.RetryAfter(time.Second, errBoom)), actor.ClassAbnormal, true, time.Second},
		"later joined":              {errors.Join(errBoom, actor.RetryAfter(time.Second, nil)), actor.ClassAbnormal, false, time.Second},
		"two delays, the outer":     {actor.RetryAfter(time.Hour, actor.RetryAfter(time.Second, errBoom)), actor.ClassAbnormal, false, time.Hour},
		"two delays, the first":     {errors.Join(actor.RetryAfter(time.Second, errBoom), actor.RetryAfter(time.Hour, errBoom)), actor.ClassAbnormal, false, time.Second},
		"shutdown of an escalation": {actor.Shutdown(actor.Escalate(errBoom)), actor.ClassAbnormal, true, 0},
		"shutdown twice":            {actor.Shutdown(actor.Shutdown(errBoom)), actor.ClassShutdown, false, 0},
		"shutdown of ctx.Err":       {actor.Shutdown(context.Canceled), actor.ClassShutdown, false, 0},
		"shutdown of a panic":       {actor.Shutdown(panicked), actor.ClassAbnormal, false, 0},
		"shutdown of a goexit":      {actor.Shutdown(actor.ErrGoexit), actor.ClassAbnormal, false, 0},
		"panic joined":              {errors.Join(actor.ErrShutdown, panicked), actor.ClassAbnormal, false, 0},
		"panic wrapped":             {wrapped(panicked), actor.ClassAbnormal, false, 0},
		"panic with an escalation":  {actor.NewPanicError(actor.Escalate(errBoom)), actor.ClassAbnormal, true, 0},
		"panic with a delay":        {actor.NewPanicError(actor.RetryAfter(time.Second, nil)), actor.ClassAbnormal, false, time.Second},
		"deadline":                  {context.DeadlineExceeded, actor.ClassAbnormal, false, 0},
		"stuck":                     {actor.ErrStuck, actor.ClassAbnormal, false, 0},
		"the cause of the own stop": {&actor.StopCause{Reason: actor.ErrStopping}, actor.ClassAbnormal, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			want := actor.End{Class: c.class, Err: c.err, Escalate: c.escalate, RetryAfter: c.after}
			require.Equal(t, want, actor.Classify(c.err, false, true))
		})
	}
}

// A failed start is steered as a failure is.
func TestSteeringBeforeReady(t *testing.T) {
	for name, err := range map[string]error{
		"escalate":    actor.Escalate(errBoom),
		"later":       actor.RetryAfter(time.Minute, errBoom),
		"wrapped":     wrapped(actor.RetryAfter(time.Minute, errBoom)),
		"not at all":  errBoom,
		"in order":    actor.ErrShutdown,
		"by a panic":  actor.NewPanicError(errBoom),
		"by a goexit": actor.ErrGoexit,
	} {
		t.Run(name, func(t *testing.T) {
			early, late := actor.Classify(err, false, false), actor.Classify(err, false, true)
			require.Equal(t, actor.ClassStartFailed, early.Class)
			require.Equal(t, late.Escalate, early.Escalate)
			require.Equal(t, late.RetryAfter, early.RetryAfter)
			require.Equal(t, err, early.Err)
		})
	}
}

// Once the stop was asked nothing is steered any more, and the error is kept.
func TestNothingSteersAStop(t *testing.T) {
	for _, err := range []error{
		nil, errBoom, actor.ErrIgnore, actor.ErrShutdown, actor.Escalate(errBoom),
		actor.RetryAfter(time.Hour, errBoom), context.Canceled,
	} {
		for _, ready := range []bool{true, false} {
			require.Equal(t, actor.End{Class: actor.ClassShutdown, Err: err}, actor.Classify(err, true, ready))
		}
	}
}

// The parts of an error are found through all that was put around it.
func TestErrorChain(t *testing.T) {
	err := actor.Escalate(wrapped(actor.RetryAfter(time.Second, actor.NewPanicError(actor.Shutdown(errBoom)))))
	require.ErrorIs(t, err, errBoom)
	require.ErrorIs(t, err, actor.ErrShutdown)
	var p *actor.PanicError
	require.ErrorAs(t, err, &p)
	require.NotEmpty(t, p.Stack)
	require.EqualError(t, err, "escalate: while at it: panic: shutdown: boom (retry after 1s)")
}

// No two of the package's errors are taken for each other.
func TestErrorsAreDistinct(t *testing.T) {
	all := []error{
		actor.ErrShutdown, actor.ErrIgnore, actor.ErrGoexit, actor.ErrStuck, actor.ErrKilled,
		actor.ErrNoHeartbeat, actor.ErrStartTimeout, actor.ErrNotReady,
		actor.ErrStopping, actor.ErrSiblingFailed, actor.ErrRemoved, actor.ErrReplaced, actor.ErrUnhealthy, actor.ErrEnded,
	}
	texts := map[string]bool{}
	for i, a := range all {
		texts[a.Error()] = true
		for j, b := range all {
			require.Equal(t, i == j, errors.Is(a, b), "%v, %v", a, b)
		}
	}
	require.Len(t, texts, len(all))
}
