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
	Context  context.Context // of the incarnation
	Ready    func()          // Started was handled
	Panicked func(value any, stack []byte)
	Exit     func(err error)       // the actor asked to end with err
	Goexit   func(self *actor.PID) // the actor can handle nothing more
}

var extensionID = ctxext.NextContextExtensionID()

// ExtensionID makes Hooks a context extension.
func (*Hooks) ExtensionID() ctxext.ContextExtensionID { return extensionID }

// From returns the hooks of the actor, or nil if no tree started it.
func From(c actor.ExtensionContext) *Hooks {
	h, _ := c.Get(extensionID).(*Hooks)
	return h
}

// Props returns p with the guard. p itself is not changed.
func Props(p *actor.Props, h *Hooks) *actor.Props {
	return p.Clone(actor.WithReceiverMiddleware(func(next actor.ReceiverFunc) actor.ReceiverFunc {
		return func(c actor.ReceiverContext, env *actor.MessageEnvelope) {
			h.receive(next, c, env)
		}
	}))
}

func (h *Hooks) receive(next actor.ReceiverFunc, c actor.ReceiverContext, env *actor.MessageEnvelope) {
	_, started := env.Message.(*actor.Started)
	if started {
		c.Set(h)
	}
	pprof.SetGoroutineLabels(h.Context)
	returned := false
	defer func() {
		if returned {
			if started {
				h.Ready()
			}
			return
		}
		if r := recover(); r != nil {
			h.Panicked(r, debug.Stack())
			c.ActorSystem().Root.Stop(c.Self())
			return
		}
		h.Goexit(c.Self())
	}()
	next(c, env)
	returned = true
}
