// Package guard wraps the props of a message-driven child so that its failures
// reach the supervisor with their stack, and none of them wedges the actor: a
// panic in any handler and a runtime.Goexit end the incarnation, always.
package guard

import (
	"context"
	"runtime/debug"
	"runtime/pprof"
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/ctxext"
)

// Hooks are called from the actor's own goroutine.
type Hooks struct {
	Context  context.Context               // of the incarnation
	Begins   func(self *actor.PID)         // is about to handle Started; may be nil
	Ready    func()                        // Started was handled, and the actor goes on
	Panicked func(value any, stack []byte) // in any handler
	Exit     func(err error)               // the actor asked to end with err
	Stopped  func()                        // it has ended, and its children have
	Goexit   func(self *actor.PID)         // it can handle nothing more
	ID       string                        // of the actor, where others may be made of the same props; they are not guarded
	Labelled bool                          // the mailbox sets the pprof labels of Context
	Bare     bool                          // without the guard there were envelopes for messages that come in one only
	Reuse    bool                          // besides, there is one actor, and no code that sees its bare context

	met      atomic.Bool // the actor that has the ID
	ending   bool        // by Exit or a panic: no further message is handled
	lost     bool        // by a Goexit
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
	if h.Bare {
		opts = append(opts, actor.WithContextDecorator(h.decorate))
	}
	if h.ID != "" {
		opts = append(opts, actor.WithOnInit(func(c actor.Context) {
			if h.guards(c) {
				h.met.Store(true)
			}
		}))
	}
	return p.Clone(append(opts, actor.WithReceiverMiddleware(func(next actor.ReceiverFunc) actor.ReceiverFunc {
		return func(c actor.ReceiverContext, env *actor.MessageEnvelope) {
			h.receive(next, c, env)
		}
	}))...)
}

// Met tells, once the props are spawned, whether that has made the actor that is
// guarded. A spawner may make something else.
func (h *Hooks) Met() bool { return h.ID == "" || h.met.Load() }

func (h *Hooks) guards(c interface{ Self() *actor.PID }) bool {
	return h.ID == "" || h.ID == c.Self().Id
}

// End ends the actor with err.
func (h *Hooks) End(c actor.Context, err error) {
	h.ending = true
	h.Exit(err)
	c.Stop(c.Self())
}

func (h *Hooks) receive(next actor.ReceiverFunc, c actor.ReceiverContext, env *actor.MessageEnvelope) {
	if !h.guards(c) {
		next(c, env)
		return
	}
	message := env.Message
	switch message.(type) {
	case *actor.Started:
		c.Set(h)
		if h.Begins != nil {
			h.Begins(c.Self())
		}
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
			h.handled(c, message)
		case r != nil:
			h.panicked(r, c, message)
		default:
			h.Lost(c)
		}
	}()
	next(c, env)
	returned = true
}

// Begun is for a mailbox: whatever the actor does with Started is done. Middleware
// may have kept it from the guard.
func (h *Hooks) Begun(c interface{ Self() *actor.PID }) {
	if h.guards(c) && !h.ending {
		h.Ready()
	}
}

func (h *Hooks) handled(c actor.ReceiverContext, message any) {
	switch message.(type) {
	case *actor.Started:
		h.Begun(c)
	case *actor.Stopped:
		if ended(c) {
			h.Stopped()
		}
	}
}

// ended tells a Stopped that is the actor's own from one that somebody has sent.
func ended(c actor.ReceiverContext) bool {
	_, registered := c.ActorSystem().ProcessRegistry.GetLocal(c.Self().Id)
	return !registered
}

// panicked never lets a panic out: protoactor would bring the actor back, or
// wedge it. An actor that is stopping already is not stopped again by that.
func (h *Hooks) panicked(r any, c actor.ReceiverContext, message any) {
	h.ending = true
	h.Panicked(r, debug.Stack())
	if _, ok := message.(*actor.Stopped); ok && ended(c) {
		h.Stopped()
		return
	}
	c.ActorSystem().Root.Stop(c.Self())
}

// Lost tells that the goroutine of the actor, whose context is c, ends in the middle of
// a message: by a Goexit in a handler, or outside the guard, as only the mailbox can
// notice.
func (h *Hooks) Lost(c any) {
	self, ok := c.(actor.ReceiverContext)
	if h.lost || !ok {
		return
	}
	h.lost = true
	h.orphan(self)
	h.Goexit(self.Self())
}

// orphan stops the actors that this one has started and can look after no more.
func (h *Hooks) orphan(c actor.ReceiverContext) {
	if parent, ok := c.(actor.Context); ok {
		for _, pid := range parent.Children() {
			c.ActorSystem().Root.Stop(pid)
		}
	}
}
