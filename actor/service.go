package actor

import (
	"context"
	"errors"
)

// Service is a child: one blocking call. A suture service is one as it stands.
//
// Serve must return soon after ctx is cancelled. It may be called again after it
// returned, never twice at the same time by one supervisor unless an earlier
// call was abandoned as stuck.
type Service interface {
	Serve(ctx context.Context) error
}

// Func makes a Service of a plain function. A nil Func is refused when the spec
// is checked.
type Func func(ctx context.Context) error

// Serve calls f.
func (f Func) Serve(ctx context.Context) error {
	if f == nil {
		return errors.New("actor: nil Func")
	}
	return f(ctx)
}

// Announcer is implemented by a Service that calls Ready by itself when it can
// serve. A supervisor waits for that call before it starts the next child; for
// any other Service it does so only if the spec has a StartTimeout.
type Announcer interface {
	AnnouncesReady() bool
}

// Killer is implemented by a Service that ends for certain soon after Killed is
// closed, as an operating system process does and a goroutine cannot.
type Killer interface {
	Killable() bool
}

// Kinder is implemented by a Service that is not a plain goroutine; Kind is
// shown in snapshots, such as "process".
//
// What these three say is asked once, when the spec is given to the tree, for all
// incarnations; if it comes from an Init, each time that has made it.
type Kinder interface {
	Kind() string
}

// Validator is implemented by a Service that can tell that it is misconfigured.
// It is asked before anything starts.
type Validator interface {
	Validate() error
}
