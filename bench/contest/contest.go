// Package contest says what a contestant is: the few things that workloads ask
// of a way to supervise, and the children that they put under supervision.
//
// A contestant written in Go is an Adapter: one method, and up to five more for
// what else it can do. Any other is a program that speaks the protocol of
// Request and Sample.
package contest

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"time"
)

// ErrHasNone is an adapter's answer to what the contestant does not offer.
var ErrHasNone = errors.New("has none")

// Adapter is a contestant written in Go. It may also be a Messenger and a
// Processes.
type Adapter interface {
	// Start starts what spec describes, in order, and returns when the
	// contestant itself considers that done; the workload waits besides until
	// every child has entered its own code. Failures are restarted at once and
	// without limit unless the spec says GiveUp. Logging is off.
	Start(spec *Spec) (Tree, error)
}

// Tree is what Start has started. It may also be a Dynamic and a Lister.
type Tree interface {
	// Stop asks all children to stop and returns when all have ended.
	Stop() error
}

// Dynamic is a Tree that takes more children.
type Dynamic interface {
	// StartChild starts c, and stop ends it: then it has ended and is forgotten.
	StartChild(c *Child) (stop func() error, err error)
}

// Lister is a Tree that can tell what it has.
type Lister interface {
	// List lists every child with its state and returns their number.
	List() (int, error)
	// Count returns how many children there are, by the cheapest way there is.
	Count() (int, error)
}

// Messenger is an Adapter whose children may be message-driven.
type Messenger interface {
	// Mail starts a message-driven child that answers what asks for an answer.
	Mail() (Mail, error)
}

// Mail sends messages to one child, from one sender, and returns when the child
// has handled the last of them.
type Mail interface {
	// Tell sends n messages that want no answer.
	Tell(n int) error
	// PingPong makes n round trips between the child and a peer of its own
	// kind, one after the other.
	PingPong(n int) error
	// Call makes n calls from outside, each a request with a bound on its time
	// that waits for the answer.
	Call(n int) error
	Stop() error
}

// Processes is an Adapter whose children may be processes of the operating system.
type Processes interface {
	// Keep runs a program, started again at once whenever it ends, with pipe
	// open as its descriptor 3.
	Keep(path string, args []string, pipe *os.File) (stop func() error, err error)
	// Lines runs a program to its end and calls line for every line that it
	// writes to stdout.
	Lines(path string, args []string, line func()) error
	// Bytes does the same with the bytes, in whatever pieces they come.
	Bytes(path string, args []string, piece func(n int)) error
}

// Strategy says who is restarted with a child that fails.
type Strategy uint8

const (
	OneForOne Strategy = iota
	OneForAll
	RestForOne
)

// Spec is a supervisor and its children.
type Spec struct {
	Strategy Strategy
	GiveUp   bool    // allows no restart: the first failure ends it and climbs
	Failure  Failure // how children are going to fail; Stay: not at all
	Children []*Child
}

// Failure is how a child ends.
type Failure uint8

const (
	Stay    Failure = iota // it does not
	ByError                // it returns an error; in Erlang: exit(boom)
	ByPanic                // it panics; in Erlang: error(boom), with its stack trace
	Anyhow                 // by an error, or by a panic if it cannot return one
)

// ErrBoom is what children fail with.
var ErrBoom = errors.New("boom")

// Riser is told whenever a child has come up.
type Riser interface {
	// Up is called by every incarnation as the first thing it does. What it
	// returns says how the incarnation ends at once.
	Up(c *Child) Failure
}

// Child is a child. The workload makes it, the adapter runs it: as a goroutine by
// Serve, or as an actor by Enter, Poke and Die.
type Child struct {
	Name string
	Sub  *Spec // a nested supervisor; all else is empty then
	Rise Riser

	// Poke, if the adapter sets it, makes the child call Die from its own code.
	Poke func(Failure)

	fail    chan Failure
	died    time.Time
	serving atomic.Int32
}

// Victim makes c one that Fail can be called for.
func (c *Child) Victim() *Child {
	c.fail = make(chan Failure)
	return c
}

// Idle tells whether c only waits for its stop.
func (c *Child) Idle() bool { return c.fail == nil }

// Fail makes the running incarnation fail. It may block until there is one.
func (c *Child) Fail(how Failure) {
	if c.Poke != nil {
		c.Poke(how)
		return
	}
	c.fail <- how
}

// Died is when the last incarnation that failed was about to.
func (c *Child) Died() time.Time { return c.died }

// Enter is the first thing that an incarnation does. Unless it returns Stay the
// next one is Die.
func (c *Child) Enter() Failure { return c.Rise.Up(c) }

// Die fails: it returns an error, or panics.
func (c *Child) Die(how Failure) error {
	c.died = time.Now()
	if how == ByPanic {
		panic(ErrBoom)
	}
	return ErrBoom
}

// Serving is how many calls of Serve have not returned.
func (c *Child) Serving() int { return int(c.serving.Load()) }

// Serve is an incarnation as a goroutine.
func (c *Child) Serve(ctx context.Context) error {
	c.serving.Add(1)
	defer c.serving.Add(-1)
	how := c.Enter()
	if how == Stay && c.fail == nil {
		<-ctx.Done()
		return nil
	}
	if how == Stay {
		select {
		case <-ctx.Done():
			return nil
		case how = <-c.fail:
		}
	}
	return c.Die(how)
}

// String names the child for whoever prints its service.
func (c *Child) String() string { return c.Name }
