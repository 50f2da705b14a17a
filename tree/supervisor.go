package tree

import (
	"math"
	"runtime/debug"
	"runtime/pprof"
	"sync/atomic"
	"time"

	proto "github.com/asynkron/protoactor-go/actor"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/tree/internal/machine"
)

// maxSteps is how many steps a supervisor does before it looks for what has come in
// meanwhile, so that a stop is noticed in the middle of a long start.
const maxSteps = 256

// alarmRings is an input of the shell's own: alarms may be due.
const alarmRings machine.InputKind = math.MaxUint8

// supervisor is one incarnation of a supervisor: a protoactor actor that feeds
// its machine and carries out what the machine wants done. It never blocks and
// never calls user code.
type supervisor struct {
	tree   *Tree
	parent *supervisor   // nil: root
	slot   *machine.Slot // in the parent's machine
	gen    int
	path   string
	spec   *Spec

	pid *proto.PID
	box mailbox

	mu lock // guards m and all slots; never held while anything waits
	m  machine.Machine

	// Of the actor's own goroutine.
	inputs    inputs
	now       time.Time // of the last step
	starts    starts
	actors    map[string]*incarnation // message-driven children, by the name of the actor
	awaited   int                     // of them: will tell of their end
	keeper    *proto.PID
	alarms    alarms
	common    *alarm
	up        bool
	broken    bool
	outcome   *machine.Outcome
	lastCause *machine.Cause
	lastStop  error // made of it

	instances atomic.Int64 // names given to instances
	lastAdded atomic.Pointer[machine.Child]
	retired   map[string]*machine.Slot // static children that are gone

	done chan struct{} // closed when the machine has ended
}

// newSupervisor makes an incarnation that goes on with the numbers of the one
// before it, so that a path and an incarnation name one run of a child for good. kids
// are the traits of the spec's children; nil: to be asked for.
func newSupervisor(t *Tree, parent *supervisor, path string, spec *Spec, kids []*traits, before *supervisor) *supervisor {
	s := &supervisor{tree: t, parent: parent, path: path, spec: spec, done: make(chan struct{})}
	s.starts.ack = make(chan struct{}, 1)
	s.alarms.ring = s.alarmRings
	if before != nil {
		s.box.labels = before.box.labels
	} else {
		s.box.labels = pprof.WithLabels(t.labels, pprof.Labels(LabelPath, path))
	}
	cfg := machine.Config{
		Strategy:     spec.Strategy,
		Intensity:    spec.Intensity,
		AutoShutdown: machine.AutoShutdown(spec.AutoShutdown),
		Dynamic:      spec.Template != nil,
		Seed:         t.seed,
	}
	if spec.Template != nil {
		cfg.MaxChildren = spec.Template.MaxInstances
	}
	s.m = machine.New(cfg)
	s.addStatic(kids, before)
	if before != nil {
		s.instances.Store(before.instances.Load())
	}
	return s
}

// remove forgets a child, but for its numbers if the spec will bring it back.
func (s *supervisor) remove(slot *machine.Slot) {
	k := s.childOf(slot)
	k.unregister()
	if k.static {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.retired == nil {
			s.retired = make(map[string]*machine.Slot)
		}
		s.retired[slot.Name] = slot
	}
}

// post queues an input, from any goroutine.
func (s *supervisor) post(in machine.Input) { s.box.post(in) }

// Receive is the actor's. It runs on one of the tree's workers.
func (s *supervisor) Receive(c proto.Context) {
	done := false
	defer func() { s.survive(recover(), done) }()
	switch msg := c.Message().(type) {
	case *mailbox:
		s.run(c)
	case *initialised:
		s.initialised(c, msg)
	case *renamed:
		s.renamed(msg)
	case *proto.Started:
		if s.parent != nil { // before its own children can ask for it
			s.parent.childOf(s.slot).nested.Store(s)
		}
		s.step(c, machine.Input{Kind: machine.Begin})
	case *proto.Terminated:
		if i := s.actors[msg.GetWho().GetId()]; i != nil {
			s.actorTerminated(i, msg.Who.Id)
		}
	case *proto.Stopping:
		s.stopping(c)
	case *proto.Stopped:
		s.box.close()
		if s.parent == nil {
			go s.tree.finish()
		} else {
			s.parent.post(machine.Input{Kind: machine.Exited, Slot: s.slot, Gen: s.gen, End: s.reason()})
		}
	}
	done = true
}

// survive is for a bug of ours: it is told, and the supervisor ends as fast as it
// can instead of wedging.
func (s *supervisor) survive(r any, done bool) {
	switch {
	case done:
		return
	case r == nil:
		r = actor.ErrGoexit
	}
	s.tree.log.Error("internal error", "path", s.path, "panic", r, "stack", string(debug.Stack()))
	if !s.broken {
		s.broken = true
		s.post(machine.Input{Kind: machine.Kill})
	}
}

// step does an input when its turn comes.
func (s *supervisor) step(c proto.Context, in machine.Input) {
	s.feed(in)
	s.run(c)
}

// run does what is there, and what that feeds.
func (s *supervisor) run(c proto.Context) {
	defer s.starts.send()
	for range maxSteps {
		in, ok := s.inputs.next(&s.box)
		if !ok {
			return
		}
		s.do(c, in)
	}
	s.box.PostUserMessage(&s.box) // go on later
}

func (s *supervisor) do(c proto.Context, in machine.Input) {
	if in.Kind == alarmRings {
		s.ring()
		return
	}
	if in.Kind == machine.Exited && in.Slot.State == machine.Starting && in.Slot.Gen == in.Gen && s.childOf(in.Slot).wasReady(&in) {
		s.do(c, machine.Input{Kind: machine.Ready, Slot: in.Slot, Gen: in.Gen}) // it was overtaken
	}
	s.now = time.Now()
	if in.Kind == machine.Extend {
		in.Delay = s.childOf(in.Slot).extended(in.Gen, s.now)
	}
	out := s.tree.effects.take()
	s.mu.Lock()
	s.m.Want = s.tree.bus.want()
	out.list = s.m.Step(s.now, in, out.list)
	s.mu.Unlock()
	for i := range out.list {
		s.apply(c, &out.list[i])
	}
	s.tree.effects.putBack(out)
}

// wasReady tells whether the incarnation whose end in is had been ready.
func (k *child) wasReady(in *machine.Input) bool {
	i := k.cur.Load()
	return in.End.Class != actor.ClassStartFailed && i != nil && i.gen == in.Gen && (!k.announces || i.saidReady.Load())
}

func (s *supervisor) feed(in machine.Input) { s.inputs.feed(in) }

func (s *supervisor) apply(c proto.Context, e *machine.Effect) {
	switch e.Kind {
	case machine.DoStart, machine.DoAnswer, machine.Emit, machine.SetTimer, machine.CancelTimer:
	default:
		s.starts.flush() // what follows is about children that run
	}
	switch e.Kind {
	case machine.DoStart:
		s.start(c, e.Slot, e.Gen)
	case machine.DoStop:
		s.childOf(e.Slot).stop(s.stopCause(e.Cause))
	case machine.DoKill:
		s.childOf(e.Slot).kill()
	case machine.DoAbandon:
		s.abandon(e.Slot)
	case machine.DoRemove:
		s.remove(e.Slot)
	case machine.SetTimer:
		s.setTimer(e)
	case machine.CancelTimer:
		s.alarms.cancel(&s.childOf(e.Slot).alarm)
	case machine.DoAnswer:
		s.starts.answer(e.Answer)
	case machine.Up:
		s.up = true
		if s.parent == nil {
			now := time.Now()
			s.tree.upAt.Store(&now)
			close(s.tree.up)
		} else {
			s.parent.post(machine.Input{Kind: machine.Ready, Slot: s.slot, Gen: s.gen})
		}
	case machine.DoEnd:
		s.end(c, e.Outcome)
	case machine.Emit:
		s.publish(e.Event)
	}
}

func (s *supervisor) childOf(slot *machine.Slot) *child { return slot.Data.(*child) }

// setTimer sets the alarm of the child, or the one common to all.
func (s *supervisor) setTimer(e *machine.Effect) {
	a := &s.common
	if e.Slot != nil {
		a = &s.childOf(e.Slot).alarm
	}
	s.alarms.cancel(a)
	*a = s.alarms.set(e)
}

func (s *supervisor) alarmRings() { s.post(machine.Input{Kind: alarmRings}) }

// ring tells the machine of the alarms that are due.
func (s *supervisor) ring() {
	now := time.Now()
	s.alarms.rang()
	for a := s.alarms.due(now); a != nil; a = s.alarms.due(now) {
		s.feed(machine.Input{Kind: machine.TimerFired, Slot: a.slot, Token: a.token})
	}
	s.alarms.arm()
}

// stopCause is the same for all that are stopped for the same cause.
func (s *supervisor) stopCause(c *machine.Cause) error {
	if s.lastCause == c {
		return s.lastStop
	}
	cause := &actor.StopCause{Reason: c.Reason, Path: s.path, Err: c.Err}
	if c.Origin != nil {
		cause.Path = s.path + "/" + c.Origin.Name
	}
	s.lastCause, s.lastStop = c, cause
	return cause
}

// stopping: somebody stopped the actor itself. protoactor would now end it at once. It
// is made to wait for a keeper, so that the machine can stop all children in order.
func (s *supervisor) stopping(c proto.Context) {
	if s.outcome != nil {
		return
	}
	s.keeper, _ = c.SpawnNamed(keeperProps, "/~keeper")
	s.step(c, machine.Input{Kind: machine.Stop})
}

func (s *supervisor) end(c proto.Context, out *machine.Outcome) {
	s.outcome = out
	s.mu.Lock()
	s.m.Slots(func(slot *machine.Slot) bool {
		s.childOf(slot).unregister()
		return true
	})
	s.mu.Unlock()
	s.alarms.stop()
	close(s.done)
	s.leave()
}

// leave ends the supervisor's own actor, when all others that are to have told it of
// their end.
func (s *supervisor) leave() {
	switch {
	case s.outcome == nil || s.awaited > 0:
	case s.keeper != nil:
		s.tree.system.ProcessRegistry.Remove(s.keeper)
		s.box.PostSystemMessage(&proto.Terminated{Who: s.keeper})
	default:
		s.tree.system.Root.Stop(s.pid)
	}
}
