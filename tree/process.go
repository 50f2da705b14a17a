package tree

import (
	"fmt"
	"sync"

	proto "github.com/asynkron/protoactor-go/actor"

	"github.com/coppice-go/coppice/actor"
)

// process is a child's address in the actor system: it stays the same from one
// incarnation to the next. Messages go to the incarnation of the moment if that
// is an actor; a stop from outside asks the incarnation to end; watchers learn
// when the child, or its supervisor, is gone for good. A PID keeps the process it has
// found once, so what comes when it is gone goes on to the child that is there now,
// if one above has started the supervisor again.
type process struct {
	child *child

	mu       sync.Mutex
	pid      *proto.PID
	gone     bool // for good
	watchers proto.PIDSet
}

var _ proto.Process = (*process)(nil)

func (k *child) system() *proto.ActorSystem { return k.sup.tree.system }

// process returns the address, known or not, of which there is one.
func (k *child) process() *process {
	if p := k.proc.Load(); p != nil {
		return p
	}
	k.proc.CompareAndSwap(nil, &process{child: k})
	return k.proc.Load()
}

// register makes the address known, once: of an actor when it is first started,
// and of any other child when somebody asks for it, which few do. The PID is nil if
// the child is gone.
func (k *child) register() (*proto.PID, error) {
	p := k.process()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pid != nil || p.gone {
		return p.pid, nil
	}
	pid, ok := k.system().ProcessRegistry.Add(p, k.path)
	if !ok {
		return nil, fmt.Errorf("register %s: %w", k.path, proto.ErrNameExists)
	}
	p.pid = pid
	return pid, nil
}

// nowhere is the address of children that are gone and never had one.
var nowhere = &process{gone: true}

// unregister ends the address and tells the watchers.
func (k *child) unregister() {
	if k.proc.CompareAndSwap(nil, nowhere) {
		return
	}
	p := k.proc.Load()
	p.mu.Lock()
	pid, watchers := p.pid, p.watchers
	p.pid, p.watchers, p.gone = nil, proto.PIDSet{}, true
	p.mu.Unlock()
	if pid == nil {
		return
	}
	k.system().ProcessRegistry.Remove(pid)
	for _, w := range watchers.Values() {
		k.sup.tree.workers.Schedule(func() { k.tell(w, pid) })
	}
}

// tell tells a watcher that pid is gone. That may be the watcher's own code, so it is
// called where nothing waits for it.
func (k *child) tell(watcher, pid *proto.PID) {
	defer func() {
		if r := recover(); r != nil {
			k.sup.tree.log.Error("watcher failed", "path", k.path, "watcher", watcher.Id, "panic", r)
		}
	}()
	k.sendSystem(watcher, &proto.Terminated{Who: pid})
}

func (k *child) sendSystem(to *proto.PID, msg any) {
	if p, ok := k.system().ProcessRegistry.Get(to); ok {
		p.SendSystemMessage(to, msg)
	}
}

// SendUserMessage forwards to the actor, if there is one.
func (p *process) SendUserMessage(self *proto.PID, message any) {
	k := p.child
	if i := k.cur.Load(); i != nil && !i.over.Load() {
		if pid := i.pid.Load(); pid != nil {
			k.sup.tree.sender.Send(pid, message)
			return
		}
	}
	if h := p.heir(); h != nil {
		h.SendUserMessage(self, message)
		return
	}
	if _, ok := proto.UnwrapEnvelopeMessage(message).(*proto.PoisonPill); ok {
		p.Stop(self)
		return
	}
	k.system().DeadLetter.SendUserMessage(self, message)
}

// heir is the address of the child that has come in the place of one that is gone; nil
// if there is none.
func (p *process) heir() *process {
	p.mu.Lock()
	gone := p.gone
	p.mu.Unlock()
	if !gone {
		return nil
	}
	k, pid := p.child.sup.tree.addressed(p.child.path)
	if pid == nil || k.process() == p {
		return nil
	}
	return k.process()
}

// SendSystemMessage serves watchers and a stop from outside.
func (p *process) SendSystemMessage(self *proto.PID, message any) {
	if h := p.heir(); h != nil {
		h.SendSystemMessage(self, message)
		return
	}
	k := p.child
	switch msg := message.(type) {
	case *proto.Stop:
		if i := k.cur.Load(); i != nil {
			k.stop(&actor.StopCause{Reason: actor.ErrRemoved, Path: k.path})
			i.bound()
		}
	case *proto.Watch:
		p.mu.Lock()
		pid := p.pid
		if pid != nil {
			p.watchers.Add(msg.Watcher)
		}
		p.mu.Unlock()
		if pid == nil {
			k.sendSystem(msg.Watcher, &proto.Terminated{Who: proto.NewPID(k.system().Address(), k.path)})
		}
	case *proto.Unwatch:
		p.mu.Lock()
		defer p.mu.Unlock()
		p.watchers.Remove(msg.Watcher)
	}
}

// Stop is a stop from outside.
func (p *process) Stop(pid *proto.PID) { p.SendSystemMessage(pid, &proto.Stop{}) }

// keeperProps spawn a process that does nothing and stops only when its parent
// says so.
var keeperProps = proto.PropsFromFunc(func(proto.Context) {}, proto.WithSpawnFunc(
	func(sys *proto.ActorSystem, id string, _ *proto.Props, _ proto.SpawnerContext) (*proto.PID, error) {
		pid, ok := sys.ProcessRegistry.Add(keeper{}, id)
		if !ok {
			return pid, proto.ErrNameExists
		}
		return pid, nil
	}))

type keeper struct{}

func (keeper) SendUserMessage(*proto.PID, any)   {}
func (keeper) SendSystemMessage(*proto.PID, any) {}
func (keeper) Stop(*proto.PID)                   {}
