package tree

import (
	"errors"
	"reflect"
	"runtime/pprof"
	"sync/atomic"

	proto "github.com/asynkron/protoactor-go/actor"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/internal/guard"
)

// spawn starts a message-driven incarnation, in a goroutine of its own: spawner,
// producers and hooks of the props are user code, which may block, panic or end its
// goroutine. It is none of the children that protoactor knows of, so that nothing here
// waits for it; what it tells its parent comes in all the same.
func (s *supervisor) spawn(i *incarnation) {
	hooks := &guard.Hooks{
		Context:  i,
		Begins:   i.spawned,
		Ready:    i.Ready,
		Exit:     i.exit,
		Stopped:  i.terminated,
		Panicked: func(v any, stack []byte) { i.fail(&actor.PanicError{Value: v, Stack: stack}) },
		Goexit: func(self *proto.PID) {
			i.fail(actor.ErrGoexit)
			s.disown(self)
			i.terminated()
		},
	}
	opts, props := []proto.PropsOption(nil), i.child.props
	id := i.child.path + "//" + s.tree.system.ProcessRegistry.NextId() // where no child of a tree can be
	hooks.Bare = unset(props, "receiverMiddleware", "contextDecorator")
	if unset(props, "mailboxProducer") {
		hooks.Labelled = true
		hooks.Reuse = hooks.Bare && unset(props, "spawner", "onInit") && s.tree.system.Config.MetricsProvider == nil
		opts = append(opts, proto.WithMailbox(func() proto.Mailbox { return &mailbox{labels: i, hooks: hooks} }))
	}
	if unset(props, "dispatcher") {
		opts = append(opts, proto.WithDispatcher(&s.tree.workers))
	}
	returned := func() {}
	if !unset(props, "spawner") {
		hooks.ID = id
		hooks.Ready, returned = i.readyWhenBoth(hooks)
	}
	i.foreign = !unset(props, "mailboxProducer", "dispatcher", "spawner")
	if s.actors == nil {
		s.actors = make(map[string]*incarnation)
	}
	s.actors[id] = i
	if i.awaited() {
		s.awaited++
	}
	i.labels = i.makeLabels()
	go i.spawn(guard.Props(props, hooks, opts...), id, returned)
}

// readyWhenBoth is for props with a spawner: the child is ready when that has returned,
// and the actor that it was to make has handled Started. If it has made something else
// nobody tells of that, and the end is the Terminated of whatever it is.
func (i *incarnation) readyWhenBoth(hooks *guard.Hooks) (started, returned func()) {
	var hasStarted, hasReturned atomic.Bool
	return func() {
			if hasStarted.Store(true); hasReturned.Load() {
				i.Ready()
			}
		}, func() {
			if hasReturned.Store(true); hasStarted.Load() || !hooks.Met() {
				i.Ready()
			}
		}
}

// spawner is the props' own, or protoactor's, which keep it to themselves.
var spawner = func() (spawner proto.SpawnFunc) {
	proto.PropsFromFunc(nil, proto.WithSpawnMiddleware(func(next proto.SpawnFunc) proto.SpawnFunc {
		spawner = next
		return next
	}))
	return spawner
}()

// parent is what a spawner knows of the supervisor.
type parent struct {
	*proto.RootContext
	self *proto.PID
}

func (p parent) Self() *proto.PID { return p.self }

// spawn may be long in coming, and have been given up by then.
func (i *incarnation) spawn(props *proto.Props, id string, returned func()) {
	s := i.child.sup
	var pid *proto.PID
	err := actor.ErrGoexit
	defer func() {
		if r := recover(); r != nil {
			err = actor.NewPanicError(r)
		}
		if err != nil {
			i.notSpawned(id, err)
			return
		}
		i.spawned(pid)
		if pid.Id != id {
			s.box.PostUserMessage(&renamed{i, id, pid})
		}
		returned()
	}()
	pprof.SetGoroutineLabels(i)
	if !unset(props, "guardianStrategy") {
		err = errors.New("props with a guardian strategy, which are not for children")
		return
	}
	pid, err = spawner(s.tree.system, id, props, parent{s.tree.system.Root, s.pid})
}

func (i *incarnation) notSpawned(id string, err error) {
	s := i.child.sup
	i.fail(err)
	pid := proto.NewPID(s.tree.system.Address(), id)
	if errors.Is(err, proto.ErrNameExists) {
		s.box.PostSystemMessage(&proto.Terminated{Who: pid})
	} else {
		s.disown(pid) // it may have got that far
	}
	i.terminated()
}

// spawned is called when the actor handles Started, and when it is spawned. One that
// was to stop, or given up, is stopped now.
func (i *incarnation) spawned(pid *proto.PID) {
	i.mu.Lock()
	if !i.disowned {
		i.pid.Store(pid)
	}
	i.mu.Unlock()
	if i.asked.Load() {
		i.stopActor(pid)
	}
}

// stopActor asks the actor to stop. With a mailbox or a dispatcher of its own that may
// run user code.
func (i *incarnation) stopActor(pid *proto.PID) {
	root := i.child.sup.tree.system.Root
	if !i.foreign {
		root.Stop(pid)
		return
	}
	go func() {
		defer func() {
			if r := recover(); r != nil {
				i.fail(actor.NewPanicError(r))
			}
		}()
		pprof.SetGoroutineLabels(i)
		root.Stop(pid)
	}()
}

// renamed tells the supervisor that a spawner has given the actor a name of its own.
type renamed struct {
	*incarnation
	before string
	pid    *proto.PID
}

func (s *supervisor) renamed(m *renamed) {
	delete(s.actors, m.before)
	s.actors[m.pid.Id] = m.incarnation
	if _, ok := s.tree.system.ProcessRegistry.Get(m.pid); !ok { // ended before it was known
		s.actorTerminated(m.incarnation, m.pid.Id)
	}
}

// actorTerminated is the end of an actor, or of its spawning.
func (s *supervisor) actorTerminated(i *incarnation, id string) {
	delete(s.actors, id)
	if !i.over.Load() {
		go i.terminated() // which asks the error
	}
	if i.awaited() {
		s.awaited--
		s.leave()
	}
}

// disown takes the address of an actor that will handle nothing more, and says so in
// its place. It may be called from any goroutine.
func (s *supervisor) disown(pid *proto.PID) {
	s.tree.system.ProcessRegistry.Remove(pid)
	s.box.PostSystemMessage(&proto.Terminated{Who: pid})
}

// abandonActor takes the address of an actor that does not end. It is told when it
// does after all.
func (s *supervisor) abandonActor(i *incarnation) {
	if i.awaited() {
		s.awaited--
	}
	if pid := i.disown(); pid != nil {
		s.tree.system.ProcessRegistry.Remove(pid)
	}
}

// disown returns the address, if there is one yet.
func (i *incarnation) disown() *proto.PID {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.over.Load() {
		i.tellGone()
	}
	i.disowned = true
	return i.pid.Swap(nil)
}

// awaited tells whether the supervisor waits for the Terminated of the actor before it
// ends itself: one that was given up may send none, nor one that does not run on what
// is ours.
func (i *incarnation) awaited() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return !i.foreign && !i.disowned
}

// HandleFailure makes the supervisor the strategy for its actors, for the failures
// that pass the guard by: in a middleware of the props, or in a continuation. The
// actor is stopped. One that failed in the middle of its stop can handle nothing
// more.
func (s *supervisor) HandleFailure(_ *proto.ActorSystem, sv proto.Supervisor, who *proto.PID, _ *proto.RestartStatistics, reason, message any) {
	i := s.actors[who.Id]
	if i == nil {
		sv.StopChildren(who)
		return
	}
	i.fail(&actor.PanicError{Value: reason, Stack: []byte("not known: protoactor has recovered from a panic in a middleware or a continuation")})
	switch message.(type) {
	case *proto.Stop, *proto.Terminated:
		s.disown(who)
	default:
		i.stopActor(who)
	}
}

// unset tells whether props leave fields to protoactor's default, which they keep to
// themselves.
func unset(p *proto.Props, fields ...string) bool {
	for _, field := range fields {
		v := reflect.ValueOf(p).Elem().FieldByName(field)
		switch v.Kind() {
		case reflect.Slice:
			if v.Len() > 0 {
				return false
			}
		case reflect.Func, reflect.Interface:
			if !v.IsNil() {
				return false
			}
		default:
			return false
		}
	}
	return true
}
