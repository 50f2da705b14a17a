package actor_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
)

var errBoom = errors.New("boom")

func wrapped(err error) error { return fmt.Errorf("while at it: %w", err) }

// How an end is read: when it was asked for, when it came before ready, and when
// it came by itself.
func TestClassify(t *testing.T) {
	const (
		normal   = actor.ClassNormal
		shutdown = actor.ClassShutdown
		abnormal = actor.ClassAbnormal
		ignore   = actor.ClassIgnore
		failed   = actor.ClassStartFailed
	)
	panicked := actor.NewPanicError("p")
	for name, c := range map[string]struct {
		err                  error
		asked, early, itself actor.Class
	}{
		"nil":                   {nil, shutdown, failed, normal},
		"error":                 {errBoom, shutdown, failed, abnormal},
		"canceled":              {context.Canceled, shutdown, failed, abnormal},
		"shutdown":              {actor.ErrShutdown, shutdown, failed, shutdown},
		"shutdown with a cause": {actor.Shutdown(errBoom), shutdown, failed, shutdown},
		"wrapped shutdown":      {wrapped(actor.Shutdown(errBoom)), shutdown, failed, shutdown},
		"joined shutdown":       {errors.Join(errBoom, actor.ErrShutdown), shutdown, failed, shutdown},
		"ignore":                {actor.ErrIgnore, shutdown, ignore, abnormal},
		"wrapped ignore":        {wrapped(actor.ErrIgnore), shutdown, ignore, abnormal},
		"escalate":              {actor.Escalate(errBoom), shutdown, failed, abnormal},
		"escalated shutdown":    {actor.Escalate(actor.ErrShutdown), shutdown, failed, abnormal},
		"retry after":           {actor.RetryAfter(time.Second, errBoom), shutdown, failed, abnormal},
		"panic":                 {panicked, abnormal, failed, abnormal},
		"panic with shutdown":   {actor.NewPanicError(actor.ErrShutdown), abnormal, failed, abnormal},
		"goexit":                {actor.ErrGoexit, abnormal, failed, abnormal},
		"killed":                {actor.ErrKilled, shutdown, failed, abnormal},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.asked, actor.Classify(c.err, true, true).Class, "asked")
			require.Equal(t, c.asked, actor.Classify(c.err, true, false).Class, "asked before ready")
			require.Equal(t, c.early, actor.Classify(c.err, false, false).Class, "before ready")
			require.Equal(t, c.itself, actor.Classify(c.err, false, true).Class, "by itself")
		})
	}
}

// What an end carries along.
func TestClassifyKeeps(t *testing.T) {
	require.Equal(t, actor.End{Class: actor.ClassNormal}, actor.Classify(nil, false, true))
	require.Equal(t, actor.End{Class: actor.ClassShutdown, Err: context.Canceled}, actor.Classify(context.Canceled, true, true))
	require.Equal(t, actor.End{Class: actor.ClassIgnore}, actor.Classify(actor.ErrIgnore, false, false))
	require.Equal(t, actor.End{Class: actor.ClassStartFailed, Err: actor.ErrNotReady}, actor.Classify(nil, false, false))

	steering := wrapped(actor.RetryAfter(time.Minute, actor.Escalate(errBoom)))
	for _, ready := range []bool{true, false} {
		end := actor.Classify(steering, false, ready)
		require.True(t, end.Escalate)
		require.Equal(t, time.Minute, end.RetryAfter)
		require.Equal(t, steering, end.Err)
	}
	end := actor.Classify(steering, true, true)
	require.False(t, end.Escalate, "it was being stopped anyway")
	require.Zero(t, end.RetryAfter)
}

func TestSteeringErrors(t *testing.T) {
	require.Equal(t, actor.ErrShutdown, actor.Shutdown(nil))
	require.ErrorIs(t, actor.Shutdown(errBoom), actor.ErrShutdown)
	require.ErrorIs(t, actor.Shutdown(errBoom), errBoom)
	require.EqualError(t, actor.Shutdown(errBoom), "shutdown: boom")

	require.ErrorIs(t, actor.Escalate(errBoom), errBoom)
	require.EqualError(t, actor.Escalate(errBoom), "escalate: boom")
	require.EqualError(t, actor.Escalate(nil), "escalate: unrecoverable failure")
	require.EqualError(t, &actor.EscalateError{}, "escalate: <nil>")

	require.ErrorIs(t, actor.RetryAfter(time.Second, errBoom), errBoom)
	require.EqualError(t, actor.RetryAfter(time.Second, errBoom), "boom (retry after 1s)")
	require.EqualError(t, actor.RetryAfter(-time.Second, nil), "temporary failure (retry after 0s)")
	var r *actor.RetryAfterError
	require.ErrorAs(t, actor.RetryAfter(-time.Second, nil), &r)
	require.Zero(t, r.Delay)
}

func TestPanicError(t *testing.T) {
	catch := func(v any) (err *actor.PanicError) {
		defer func() { err = actor.NewPanicError(recover()) }()
		panic(v)
	}
	err := catch(errBoom)
	require.ErrorIs(t, err, errBoom)
	require.EqualError(t, err, "panic: boom")
	require.Contains(t, string(err.Stack), "TestPanicError")
	require.NoError(t, errors.Unwrap(catch(42)))
	require.EqualError(t, catch(42), "panic: 42")
	require.ErrorContains(t, catch(badError{}), "panic: ", "an error whose Error panics")
}

type badError struct{}

func (badError) Error() string { panic("in Error") }

func TestClassNames(t *testing.T) {
	for class, want := range map[actor.Class]string{
		actor.ClassNormal: "normal", actor.ClassShutdown: "shutdown", actor.ClassAbnormal: "abnormal",
		actor.ClassIgnore: "ignore", actor.ClassStartFailed: "start failed", actor.Class(9): "Class(9)",
	} {
		text, err := class.MarshalText()
		require.NoError(t, err)
		require.Equal(t, want, string(text))
	}
}

func TestStopCause(t *testing.T) {
	cause := &actor.StopCause{Reason: actor.ErrSiblingFailed, Path: "shop/db", Err: errBoom}
	require.EqualError(t, cause, "sibling failed (shop/db): boom")
	require.ErrorIs(t, cause, actor.ErrSiblingFailed)
	require.ErrorIs(t, cause, errBoom)
	require.NotErrorIs(t, cause, actor.ErrStopping)
	require.EqualError(t, &actor.StopCause{Reason: actor.ErrRemoved}, "terminated by request")
}
