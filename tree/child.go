package tree

import (
	"sync/atomic"

	proto "github.com/asynkron/protoactor-go/actor"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/tree/internal/machine"
)

// child is what the shell keeps of one child: its address, the incarnation of
// the moment and its alarm.
type child struct {
	*traits
	sup     *supervisor
	spec    *Child
	service actor.Service
	path    string
	slot    *machine.Slot
	static  bool                    // of the spec, not added
	alarm   *alarm                  // of the supervisor's goroutine
	proc    atomic.Pointer[process] // nil: nobody has asked for it
	cur     atomic.Pointer[incarnation]
	status  atomic.Pointer[status]
	nested  atomic.Pointer[supervisor]
	current *supervisor // of the supervisor's goroutine: the incarnation that is one; nil: none yet
	last    *supervisor // the last there was
}

// status is what an incarnation has said of itself.
type status struct {
	actor.Status
	gen int
}

// exitOf is how the process of an incarnation has ended, if it was one.
func (k *child) exitOf(gen int) *actor.ExitStatus {
	if st := k.status.Load(); st != nil && st.gen == gen {
		return st.Exit
	}
	return nil
}

// traits are what a Service says of itself.
type traits struct {
	kind      string
	announces bool
	killable  bool
	props     *proto.Props // of a message-driven actor
	spec      *Spec        // of a nested supervisor
	kids      []*traits    // of the children of spec
	maker     Init         // of a nested supervisor that has no spec yet
}

func (t *traits) supervises() bool { return t.spec != nil || t.maker != nil }

// plain are the traits of most children.
var plain = traits{kind: "goroutine"}

func newChild(s *supervisor, name string, c *Child, svc actor.Service) *child {
	return &child{sup: s, spec: c, service: svc, path: s.path + "/" + name, traits: traitsOf(c, svc)}
}

// traitsOf asks the Service, and those below it, once for all incarnations: it is user
// code, and a supervisor that starts runs none.
func traitsOf(c *Child, svc actor.Service) *traits {
	t := ask(svc)
	t.announces = t.announces || c.StartTimeout != 0
	if t.kind == plain.kind && !t.announces && !t.killable {
		return &plain
	}
	if t.spec != nil {
		t.kids = make([]*traits, len(t.spec.Children))
		for i := range t.spec.Children {
			c := &t.spec.Children[i]
			t.kids[i] = traitsOf(c, c.Service)
		}
	}
	own := t
	return &own
}

// ask asks user code, which may panic; what it did not tell is the default.
func ask(svc actor.Service) (t traits) {
	t = plain
	defer func() { _ = recover() }()
	if spec := asSpec(svc); spec != nil {
		own := *spec
		return traits{kind: "supervisor", announces: true, killable: true, spec: &own}
	}
	if f, ok := svc.(Init); ok {
		return traits{kind: "supervisor", announces: true, killable: true, maker: f}
	}
	if a, ok := svc.(*actor.Actor); ok {
		return traits{kind: a.Kind(), announces: true, props: a.Props()}
	}
	if k, ok := svc.(actor.Killer); ok {
		t.killable = k.Killable()
	}
	if a, ok := svc.(actor.Announcer); ok {
		t.announces = a.AnnouncesReady()
	}
	if k, ok := svc.(actor.Kinder); ok {
		t.kind = k.Kind()
	}
	return t
}

func (k *child) machineChild() machine.Child {
	c := k.spec
	supervisor := k.supervises()
	return machine.Child{
		Restart:      c.Restart,
		Significant:  c.Significant,
		Policy:       c.Policy,
		Shutdown:     c.shutdown(supervisor),
		StartTimeout: c.StartTimeout,
		Supervisor:   supervisor,
		Killable:     k.killable,
	}
}

// start starts incarnation gen of the slot's child and feeds what is known of it
// at once.
func (s *supervisor) start(c proto.Context, slot *machine.Slot, gen int) {
	k := s.childOf(slot)
	if k.slot == nil {
		k.slot = slot
	}
	var err error
	switch {
	case s.tree.stuck.holds(k.path):
		err = ErrStuck
	case k.traits.spec != nil:
		s.starts.flush()
		err = s.startNested(k, slot, gen, k.traits)
	case k.maker != nil:
		k.nested.Store(nil)
		k.current = nil
		i := newIncarnation(k, gen)
		k.cur.Store(i)
		s.begin(i)
	default:
		i := newIncarnation(k, gen)
		if k.props != nil {
			s.starts.flush()
			if _, err = k.register(); err == nil {
				k.cur.Store(i)
				s.spawn(i)
			}
			break
		}
		k.cur.Store(i)
		s.begin(i)
		if !k.announces {
			s.feed(machine.Input{Kind: machine.Ready, Slot: slot, Gen: gen})
			i.watch()
		}
	}
	if err != nil {
		s.feed(machine.Input{Kind: machine.Exited, Slot: slot, Gen: gen, End: actor.End{Class: actor.ClassStartFailed, Err: err}})
	}
}

// begin has the incarnation run: at once, or in a row with those that follow.
func (s *supervisor) begin(i *incarnation) {
	s.starts.add(i)
	switch {
	case s.m.StartsMore():
	case s.m.RestartsOne():
		s.starts.flush() // it runs at once if this waits for it, and nothing else is to be done
	default:
		s.starts.send()
	}
}

// abandon gives the incarnation up: it is listed until it ends.
func (s *supervisor) abandon(slot *machine.Slot) {
	k := s.childOf(slot)
	i := k.cur.Load()
	if i == nil {
		return
	}
	brutal := k.spec.Shutdown == Brutal
	if !s.tree.stuck.add(i, k.spec.OnStuck == StuckHold && !brutal, !brutal) && !brutal {
		i.tellLate()
	}
	if k.props != nil {
		s.abandonActor(i)
	}
	if k.spec.OnStuck == StuckExit && !brutal {
		s.tree.exitStuck(k.path, i.gen)
	}
}

// stop asks the incarnation to end.
func (k *child) stop(cause error) {
	if n := k.current; n != nil {
		n.post(machine.Input{Kind: machine.Stop})
		return
	}
	i := k.cur.Load()
	i.ask(cause)
	if pid := i.pid.Load(); pid != nil {
		i.stopActor(pid)
	}
}

// kill is the end of the grace.
func (k *child) kill() {
	if n := k.current; n != nil {
		n.post(machine.Input{Kind: machine.Kill})
		return
	}
	i := k.cur.Load()
	i.kill()
	if k.maker != nil {
		k.sup.abandonInit(i)
	}
}
