package actor

import (
	"context"
	"errors"

	proto "github.com/asynkron/protoactor-go/actor"

	"github.com/coppice-go/coppice/internal/guard"
)

// Actor is a message-driven protoactor actor as a child. Make it with Props.
//
// Every incarnation is a new actor made by the props' producer, spawned under
// the supervisor's own actor. It is ready when it has handled *actor.Started. It
// fails by a panic, in whatever handler; it ends normally by stopping itself, and
// for another reason by Exit. Messages sent to the child's path reach the
// incarnation of the moment; what an incarnation has not read when it ends is
// lost, as a mailbox is in OTP.
//
// With props that have a spawner the child is what that makes, which may be a router
// or no actor at all. If it is not an actor of the props under the name that the
// spawner was given, it is ready when the spawner has returned, and Exit and Context
// are as outside a tree.
//
// A receiver middleware may keep *actor.Started from the actor, but not where the
// props name a mailbox: the child would never be ready.
//
// A panic in a receiver middleware of the props, or in a continuation of
// ReenterAfter, is a failure too, but its stack is not known. So is a runtime.Goexit
// there, but where the props name a mailbox it is not noticed until the actor is asked
// to stop, and then it is stuck.
//
// The producers, the spawner and the inits of the props are called on a goroutine of the
// incarnation's own, and StartTimeout bounds them too.
type Actor struct{ props *proto.Props }

// Props makes a child of a protoactor actor's props. Nil props are refused when
// the spec is checked. The props are used as they are, mailbox, dispatcher and
// middleware included, but for a supervisor strategy of the parent's: the tree is
// the supervisor. Props that name no mailbox, or no dispatcher, run on the tree's,
// which are faster than protoactor's own.
func Props(props *proto.Props) *Actor { return &Actor{props} }

// Props returns what a was made of.
func (a *Actor) Props() *proto.Props { return a.props }

// Serve fails: an actor needs a tree to live in.
func (a *Actor) Serve(context.Context) error {
	return errors.New("actor: Props can be served by a coppice tree only")
}

// Kind returns "actor".
func (a *Actor) Kind() string { return "actor" }

// AnnouncesReady returns true.
func (a *Actor) AnnouncesReady() bool { return true }

// Validate refuses nil props.
func (a *Actor) Validate() error {
	if a == nil || a.props == nil {
		return errors.New("Props: nil")
	}
	return nil
}

// Exit ends the calling actor with err as its reason, which is read as if a
// goroutine child had returned it. The actor handles no further message but those
// of its stop: Stopping, Terminated of its own children, Stopped. Called more than
// once, the first err that is not nil counts. Before ready a nil err is a failed
// start, as Serve's return would be. Outside a tree, and in an actor that a child
// has spawned itself, the actor is only stopped.
func Exit(c proto.Context, err error) {
	if h := guard.From(c); h != nil {
		h.End(c, err)
		return
	}
	c.Stop(c.Self())
}

// Context returns the context of the calling actor's incarnation: for Self,
// Beat, SetStatus and for work that must end with it. It is cancelled, with a
// cause, when the child is asked to stop. Outside a tree, and in an actor that a
// child has spawned itself, it is context.Background().
func Context(c proto.Context) context.Context {
	if h := guard.From(c); h != nil {
		return h.Context
	}
	return context.Background()
}
