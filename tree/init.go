package tree

import (
	"context"

	proto "github.com/asynkron/protoactor-go/actor"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/tree/internal/machine"
)

// Init, as the Service of a Child, is a nested supervisor whose Spec is made anew
// each time it starts, also by a restart: of a configuration that may have
// changed, or of what there is to supervise today. OTP's init callback.
//
// actor.ErrIgnore leaves the child down, as it does any other; another error, a
// panic, or a spec that is not valid is a failed start. A Name in the spec must
// be empty or that of the child. The context is cancelled when the child is asked
// to stop, and when Init has returned.
type Init func(ctx context.Context) (Spec, error)

// Serve runs the spec that f makes as a tree of its own; see Spec.Serve.
func (f Init) Serve(ctx context.Context) error {
	ctx = orBackground(ctx)
	spec, err := f(ctx)
	if err != nil {
		return err
	}
	return Run(ctx, spec)
}

// Kind returns "supervisor".
func (f Init) Kind() string { return "supervisor" }

// initialised tells the supervisor that an Init has returned a spec.
type initialised struct {
	*incarnation
	made *traits
}

// serveInit is the Serve of an incarnation that is to become a supervisor. The
// incarnation itself ends here.
func (i *incarnation) serveInit() error {
	spec, err := i.child.maker(i)
	if err != nil {
		return err
	}
	c := Child{Name: i.child.slot.Name, Service: &spec}
	if err := c.check(i.child.sup.path, NeverShutdown); err != nil {
		return err
	}
	made := traitsOf(&c, c.Service)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.more().made = made
	return nil
}

// initialised goes on with the start of the nested supervisor.
func (s *supervisor) initialised(c proto.Context, m *initialised) {
	if m.gaveUp() {
		return
	}
	end := actor.End{Class: actor.ClassShutdown}
	if !m.asked.Load() {
		err := s.startNested(m.child, m.child.slot, m.gen, m.made)
		if err == nil {
			return
		}
		end = actor.End{Class: actor.ClassStartFailed, Err: err}
	}
	s.step(c, machine.Input{Kind: machine.Exited, Slot: m.child.slot, Gen: m.gen, End: end})
}

func (i *incarnation) gaveUp() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.rare != nil && i.rare.gaveUp
}

// giveUp is refused once the incarnation has ended: it has told so, or is about to.
func (i *incarnation) giveUp() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.over.Load() {
		return false
	}
	i.more().gaveUp = true
	return true
}

// abandonInit gives up an Init that has not returned though its supervisor is to
// end at once.
func (s *supervisor) abandonInit(i *incarnation) {
	if !i.giveUp() {
		return
	}
	s.tree.stuck.add(i, i.child.spec.OnStuck == StuckHold, false)
	s.feed(machine.Input{Kind: machine.Exited, Slot: i.child.slot, Gen: i.gen, End: actor.End{Class: actor.ClassAbnormal, Err: actor.ErrStuck}})
}
