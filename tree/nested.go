package tree

import (
	proto "github.com/asynkron/protoactor-go/actor"

	"github.com/coppice-go/coppice/tree/internal/machine"
)

// startNested starts an incarnation of a child that is a supervisor. It is an actor
// that protoactor knows no parent of: it tells of its end itself, when its name is
// free again, and what it has told before is not overtaken.
func (s *supervisor) startNested(k *child, slot *machine.Slot, gen int, t *traits) error {
	n := newSupervisor(s.tree, s, k.path, t.spec, t.kids, k.last)
	n.slot, n.gen = slot, gen
	if err := n.spawnNested(); err != nil {
		return err
	}
	k.current, k.last = n, n
	return nil
}

// spawning is what supervisors are spawned with, one after the other: protoactor asks
// its props for the actor and the mailbox while it spawns, and never again.
type spawning struct {
	s     *supervisor
	props *proto.Props
}

func newSpawning(s *supervisor) *spawning {
	sp := &spawning{s: s}
	sp.props = proto.PropsFromProducer(func() proto.Actor { return sp.s },
		proto.WithMailbox(func() proto.Mailbox { return &sp.s.box }),
		proto.WithDispatcher(&s.tree.workers),
		proto.WithOnInit(func(c proto.Context) { sp.s.pid = c.Self() }))
	return sp
}

// spawnNested starts the actor of a nested supervisor.
func (s *supervisor) spawnNested() error {
	t := s.tree
	sp, ok := t.spawnings.Get().(*spawning)
	if ok {
		sp.s = s
	} else {
		sp = newSpawning(s)
	}
	_, err := spawner(t.system, s.path, sp.props, t.system.Root)
	sp.s = nil
	t.spawnings.Put(sp)
	return err
}
