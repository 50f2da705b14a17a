package guard

import (
	"fmt"
	"log/slog"

	"github.com/asynkron/protoactor-go/actor"
)

// Middleware, such as the guard, gets a message in an envelope, which protoactor
// makes for each. With Reuse there is one, which goes from message to message until
// the actor does what keeps it.

// Wrap returns message as a mailbox is to hand it to the actor. Unwrap follows when
// that is done.
func (h *Hooks) Wrap(message any) any {
	if !h.Reuse {
		return message
	}
	switch message.(type) {
	case *actor.MessageEnvelope:
		return message
	case actor.NotInfluenceReceiveTimeout, actor.AutoRespond: // seen to be one; gets the bare context
		return message
	}
	if h.envelope == nil {
		h.envelope = new(actor.MessageEnvelope)
	}
	h.envelope.Message = message
	return h.envelope
}

// Unwrap lets go of the message.
func (h *Hooks) Unwrap() {
	if h.envelope != nil {
		h.envelope.Message = nil
	}
}

// keeper is the context of an actor that without the guard had no envelopes.
type keeper struct {
	whole
	hooks *Hooks
}

// whole is what protoactor's own context is besides, and actors may ask for.
type whole interface {
	actor.Context
	actor.Supervisor
	actor.MessageInvoker
	fmt.Stringer
	fmt.GoStringer
}

func (h *Hooks) decorate(next actor.ContextDecoratorFunc) actor.ContextDecoratorFunc {
	return func(c actor.Context) actor.Context {
		if w, ok := c.(whole); ok {
			c = keeper{w, h}
		}
		return next(c)
	}
}

// Forward sends on what came: an envelope only if that was the sender's.
func (k keeper) Forward(pid *actor.PID) {
	message := k.Message()
	if header := k.MessageHeader(); k.Sender() != nil || header != nil && header.Length() > 0 {
		k.whole.Forward(pid)
	} else if _, ok := message.(actor.SystemMessage); ok {
		k.Logger().Error("SystemMessage cannot be forwarded", slog.Any("message", message))
	} else {
		k.Send(pid, message)
	}
}

// ReenterAfter keeps the envelope for the continuation.
func (k keeper) ReenterAfter(f *actor.Future, then func(any, error)) {
	if k.hooks.Reuse {
		k.hooks.envelope = nil
	}
	k.whole.ReenterAfter(f, then)
}
