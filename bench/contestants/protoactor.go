package contestants

import (
	"log/slog"
	"math"
	"slices"
	"time"

	proto "github.com/asynkron/protoactor-go/actor"

	"github.com/coppice-go/coppice/bench/contest"
)

// protoAdapter is protoactor-go's own supervision: actors under an actor. They
// fail by a panic only and are restarted in place; the strategies are those that
// restart without limit, all-for-one, and escalation. Its list of children has no
// states.
type protoAdapter struct{}

var discard = slog.New(slog.DiscardHandler)

func newSystem() *proto.ActorSystem {
	return proto.NewActorSystem(proto.WithLoggerFactory(func(*proto.ActorSystem) *slog.Logger { return discard }))
}

type protoTree struct {
	system *proto.ActorSystem
	root   *proto.PID
	ended  chan struct{}
}

func (protoAdapter) Start(spec *contest.Spec) (contest.Tree, error) {
	if spec.Strategy == contest.RestForOne || spec.Failure == contest.ByError {
		return nil, contest.ErrHasNone
	}
	t := &protoTree{system: newSystem(), ended: make(chan struct{})}
	t.root = t.system.Root.Spawn(protoParentProps(spec, func() { close(t.ended) }))
	return t, nil
}

func protoParentProps(spec *contest.Spec, ended func()) *proto.Props {
	always := func(d proto.Directive) proto.DeciderFunc { return func(any) proto.Directive { return d } }
	strategy := proto.NewRestartingStrategy()
	switch {
	case spec.GiveUp:
		strategy = proto.NewOneForOneStrategy(0, 0, always(proto.EscalateDirective))
	case spec.Strategy == contest.OneForAll:
		strategy = proto.NewAllForOneStrategy(math.MaxInt, time.Second, always(proto.RestartDirective))
	}
	return proto.PropsFromProducer(func() proto.Actor {
		return &protoParent{spec: spec, ended: ended, idle: make(map[contest.Riser]*proto.Props)}
	}, proto.WithSupervisor(strategy))
}

type protoParent struct {
	spec  *contest.Spec
	ended func()
	idle  map[contest.Riser]*proto.Props // shared by children that are alike
}

type (
	protoSpawn struct {
		child *contest.Child
		pid   chan *proto.PID
	}
	protoCrash struct{}
	protoList  struct{ children chan []*proto.PID }
)

func (p *protoParent) Receive(c proto.Context) {
	switch msg := c.Message().(type) {
	case *proto.Started:
		for _, k := range p.spec.Children {
			if _, err := c.SpawnNamed(p.props(c, k), k.Name); err != nil {
				panic(err)
			}
		}
	case *protoSpawn:
		pid, _ := c.SpawnNamed(p.props(c, msg.child), msg.child.Name)
		msg.pid <- pid
	case *protoList:
		msg.children <- slices.Clone(c.Children()) // which the parent goes on changing
	case *proto.Stopped:
		if p.ended != nil {
			p.ended()
		}
	}
}

func (p *protoParent) props(c proto.Context, k *contest.Child) *proto.Props {
	if k.Sub != nil {
		return protoParentProps(k.Sub, nil)
	}
	if !k.Idle() {
		pid, root := proto.NewPID(c.ActorSystem().Address(), c.Self().Id+"/"+k.Name), c.ActorSystem().Root
		k.Poke = func(contest.Failure) { root.Send(pid, &protoCrash{}) }
	} else if props := p.idle[k.Rise]; props != nil {
		return props
	}
	props := proto.PropsFromProducer(func() proto.Actor { return &protoChild{k} })
	if k.Idle() {
		p.idle[k.Rise] = props
	}
	return props
}

type protoChild struct{ *contest.Child }

func (k *protoChild) Receive(c proto.Context) {
	switch c.Message().(type) {
	case *proto.Started:
		if k.Enter() != contest.Stay {
			_ = k.Die(contest.ByPanic)
		}
	case *protoCrash:
		_ = k.Die(contest.ByPanic)
	}
}

func (t *protoTree) Stop() error {
	t.system.Root.Stop(t.root)
	<-t.ended
	return nil
}

func (t *protoTree) StartChild(c *contest.Child) (func() error, error) {
	spawn := &protoSpawn{c, make(chan *proto.PID, 1)}
	t.system.Root.Send(t.root, spawn)
	pid := <-spawn.pid
	return func() error { return t.system.Root.StopFuture(pid).Wait() }, nil
}

// List asks the parent: nobody else knows.
func (t *protoTree) List() (int, error) {
	list := &protoList{make(chan []*proto.PID, 1)}
	t.system.Root.Send(t.root, list)
	return len(<-list.children), nil
}

// Count has no other way.
func (t *protoTree) Count() (int, error) { return t.List() }

// callTimeout bounds a call that is always answered.
const callTimeout = 10 * time.Second

// Mail is an actor that nothing supervises.
func (protoAdapter) Mail() (contest.Mail, error) {
	system := newSystem()
	pid := system.Root.Spawn(proto.PropsFromFunc(postman))
	stop := func(pid *proto.PID) func() error {
		return func() error { return system.Root.StopFuture(pid).Wait() }
	}
	peer := func(props *proto.Props) (func() error, error) { return stop(system.Root.Spawn(props)), nil }
	return &protoMail{system, pid, peer, stop(pid)}, nil
}

// protoMail is mail to an actor, whoever supervises it.
type protoMail struct {
	system *proto.ActorSystem
	pid    *proto.PID
	peer   func(*proto.Props) (stop func() error, err error) // starts another such actor
	stop   func() error
}

type (
	letter struct{}
	last   struct{ handled chan struct{} }
	ping   struct{}
	pong   struct{}
)

// postman is the child's code.
func postman(c proto.Context) {
	switch msg := c.Message().(type) {
	case *ping:
		c.Respond(&pong{})
	case *last:
		close(msg.handled)
	}
}

func (m *protoMail) Tell(n int) error {
	end := &last{make(chan struct{})}
	for range n - 1 {
		m.system.Root.Send(m.pid, &letter{})
	}
	m.system.Root.Send(m.pid, end)
	<-end.handled
	return nil
}

func (m *protoMail) PingPong(n int) error {
	done := make(chan struct{})
	stop, err := m.peer(proto.PropsFromFunc(func(c proto.Context) {
		switch c.Message().(type) {
		case *proto.Started:
			c.Request(m.pid, &ping{})
		case *pong:
			if n--; n > 0 {
				c.Request(m.pid, &ping{})
			} else {
				close(done)
			}
		}
	}))
	if err != nil {
		return err
	}
	<-done
	return stop()
}

func (m *protoMail) Call(n int) error {
	for range n {
		if _, err := m.system.Root.RequestFuture(m.pid, &ping{}, callTimeout).Result(); err != nil {
			return err
		}
	}
	return nil
}

func (m *protoMail) Stop() error { return m.stop() }
