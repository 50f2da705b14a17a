// Package guard wraps the props of a message-driven child so that its failures
// reach the supervisor with their stack, and none of them wedges the actor: a
// panic in any handler and a runtime.Goexit end the incarnation, always.
package guard

import (
	"context"
	"runtime/debug"
	"runtime/pprof"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/ctxext"
)

// Hooks are called from the actor's own goroutine.
type Hooks struct {
	Context  context.Context               // of the incarnation
	Ready    func()                        // Started was handled, and the actor goes on
	Panicked func(value any, stack []byte) // in any handler
	Exit     func(err error)               // the actor asked to end with err
	Stopped  func()                        // it has ended, and its children have
	Goexit   func(self *actor.PID)         // it can handle nothing more
	Labelled bool                          // the mailbox sets the pprof labels of Context
	Reuse    bool                          // there is one actor, and no code that sees its envelopes or its bare context

	ending   bool // by Exit or a panic: no further message is handled
	envelope *actor.MessageEnvelope
}

var extensionID = ctxext.NextContextExtensionID()

// ExtensionID makes Hooks a context extension.
func (*Hooks) ExtensionID() ctxext.ContextExtensionID { return extensionID }

// From returns the hooks of the actor, or nil if no tree started it.
func From(c actor.ExtensionContext) *Hooks {
	h, _ := c.Get(extensionID).(*Hooks)
	return h
}

// Props returns p with the guard and with opts. p itself is not changed.
func Props(p *actor.Props, h *Hooks, opts ...actor.PropsOption) *actor.Props {
	if h.Reuse {
		opts = append(opts, actor.WithContextDecorator(h.decorate))
	}
	return p.Clone(append(opts, actor.WithReceiverMiddleware(func(next actor.ReceiverFunc) actor.ReceiverFunc {
		return func(c actor.ReceiverContext, env *actor.MessageEnvelope) {
			h.receive(next, c, env)
		}
	}))...)
}

// End ends the actor with err.
func (h *Hooks) End(c actor.Context, err error) {
	h.ending = true
	h.Exit(err)
	c.Stop(c.Self())
}

func (h *Hooks) receive(next actor.ReceiverFunc, c actor.ReceiverContext, env *actor.MessageEnvelope) {
	message := env.Message
	switch message.(type) {
	case *actor.Started:
		c.Set(h)
	case *actor.Stopping, *actor.Terminated, *actor.Stopped:
	default:
		if h.ending {
			return
		}
	}
	if !h.Labelled {
		pprof.SetGoroutineLabels(h.Context)
	}
	returned := false
	defer func() {
		switch r := recover(); {
		case returned:
			h.handled(message)
		case r != nil:
			h.panicked(r, c, message)
		default:
			h.orphan(c)
			h.Goexit(c.Self())
		}
	}()
	next(c, env)
	returned = true
}

func (h *Hooks) handled(message any) {
	switch message.(type) {
	case *actor.Started:
		if !h.ending {
			h.Ready()
		}
	case *actor.Stopped:
		h.Stopped()
	}
}

// panicked never lets a panic out: protoactor would bring the actor back, or
// wedge it. An actor that is not stopping already is stopped.
func (h *Hooks) panicked(r any, c actor.ReceiverContext, message any) {
	h.ending = true
	h.Panicked(r, debug.Stack())
	switch message.(type) {
	case *actor.Stopping:
	case *actor.Stopped:
		h.Stopped()
	default:
		c.ActorSystem().Root.Stop(c.Self())
	}
}

// orphan stops the actors that this one has started and can look after no more.
func (h *Hooks) orphan(c actor.ReceiverContext) {
	if parent, ok := c.(actor.Context); ok {
		for _, pid := range parent.Children() {
			c.ActorSystem().Root.Stop(pid)
		}
	}
}
