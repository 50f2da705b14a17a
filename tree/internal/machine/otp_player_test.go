package machine

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/tree/internal/otp"
)

var errStartFail = errors.New("start_fail")

// player plays a case. It is the shell of a tree of machines: inputs wait in one
// queue, children do what their spec says, time goes on when nothing else does.
type player struct {
	root   *node
	make   func(Config) acting
	spec   *otp.Spec
	now    time.Time
	inputs []func()
	timers []otpTimer
	trace  []otp.Event
	latest map[string]*otpRun // by path
	nodes  map[string]*node   // by path
	hold   *otpHold
	over   bool
}

// node is an incarnation of a supervisor.
type node struct {
	path     string
	spec     *otp.Spec
	k        int
	m        acting
	parent   *node
	slot     *Slot
	gen      int
	up       bool
	named    int // instances
	miscount int // OTP's own
	ended    bool
}

// otpRun is an incarnation of a worker.
type otpRun struct {
	node  *node
	spec  *otp.Spec
	slot  *Slot
	gen   int
	path  string
	k     int
	alive bool
}

type otpTimer struct {
	node  *node
	slot  *Slot
	token uint64
	at    time.Time
}

// otpHold catches the next start of a spec, and what is to be done before it goes
// on.
type otpHold struct {
	spec  *otp.Spec
	force string
	run   func()
}

func newPlayer(tree *otp.Spec, make func(Config) acting) *player {
	return &player{spec: tree, make: make, now: time.Unix(1_000_000, 0), latest: map[string]*otpRun{}, nodes: map[string]*node{}}
}

func (p *player) note(kind string, fields ...any) {
	p.trace = append(p.trace, otp.New(kind, fields...))
}

func (p *player) later(f func()) { p.inputs = append(p.inputs, f) }

// settle lets everything happen that can, timers last.
func (p *player) settle() {
	for {
		for len(p.inputs) > 0 {
			f := p.inputs[0]
			p.inputs = p.inputs[1:]
			f()
		}
		if len(p.timers) == 0 {
			return
		}
		first := 0
		for i, t := range p.timers {
			if t.at.Before(p.timers[first].at) {
				first = i
			}
		}
		t := p.timers[first]
		p.timers = append(p.timers[:first:first], p.timers[first+1:]...)
		p.now = t.at
		p.feed(t.node, Input{Kind: TimerFired, Slot: t.slot, Token: t.token})
	}
}

func (p *player) feed(n *node, in Input) {
	effects := n.m.Step(p.now, in, nil)
	for _, e := range effects {
		p.carryOut(n, e)
	}
}

func (p *player) carryOut(n *node, e Effect) {
	switch e.Kind {
	case DoStart:
		p.start(n, e.Slot, e.Gen)
	case DoStop:
		p.stop(n, e.Slot)
	case DoAbandon:
		p.exit(e.Slot.Data.(*kidOf).run, "killed")
	case SetTimer:
		p.timers = append(p.timers, otpTimer{n, e.Slot, e.Token, p.now.Add(e.Delay)})
	case CancelTimer:
		kept := p.timers[:0]
		for _, t := range p.timers {
			if t.node != n || t.slot != e.Slot {
				kept = append(kept, t)
			}
		}
		p.timers = kept
	case DoRemove:
		if data := e.Slot.Data.(*kidOf); n.spec.Template != nil && data.failed && data.run != nil {
			// OTP 25 goes on counting it as one that is to be restarted.
			n.miscount++
		}
	case DoAnswer:
		*e.Answer.Request.Reply.(*any) = p.answer(n, e.Answer)
	case Up:
		n.up = true
		if n.parent != nil {
			p.later(func() { p.feed(n.parent, Input{Kind: Ready, Slot: n.slot, Gen: n.gen}) })
		}
	case DoEnd:
		p.supEnd(n, e.Outcome)
	}
}

// kidOf is what a slot's Data is.
type kidOf struct {
	spec *otp.Spec
	run  *otpRun // worker, latest
	sup  *node   // supervisor, latest

	failed bool // to start, the last time
}

func (p *player) start(n *node, s *Slot, gen int) {
	data := s.Data.(*kidOf)
	spec := data.spec
	k, out := spec.Enter()
	held := p.hold
	if held != nil && held.spec == spec {
		p.hold = nil
		if held.force != "" {
			out = held.force
		}
	} else {
		held = nil
	}
	where := n.path + "/" + spec.ID
	if n.spec.Template != nil {
		where = fmt.Sprintf("%s/#%d", n.path, k)
	}
	data.failed = out == "fail"
	if spec.Kind == "supervisor" && out == "ok" {
		if held != nil {
			held.run()
		}
		p.startSup(n, data, s, gen, where)
		return
	}
	p.note("start", "path", where, "k", k, "out", out)
	if held != nil {
		held.run()
	}
	run := &otpRun{node: n, spec: spec, slot: s, gen: gen, path: where, k: k, alive: out == "ok"}
	in := Input{Kind: Ready, Slot: s, Gen: gen}
	switch out {
	case "ok":
		data.run, p.latest[where] = run, run
	case "fail":
		in = Input{Kind: Exited, Slot: s, Gen: gen, End: actor.Classify(errStartFail, false, false)}
	case "ignore":
		in = Input{Kind: Exited, Slot: s, Gen: gen, End: actor.Classify(actor.ErrIgnore, false, false)}
	}
	p.later(func() { p.feed(n, in) })
}

func (p *player) startSup(parent *node, data *kidOf, s *Slot, gen int, where string) {
	n := p.newNode(where, data.spec)
	n.parent, n.slot, n.gen = parent, s, gen
	data.sup = n
	p.later(func() { p.feed(n, Input{Kind: Begin}) })
}

func (p *player) newNode(where string, spec *otp.Spec) *node {
	n := &node{path: where, spec: spec, k: spec.K, m: p.make(config(spec))}
	p.note("sup_start", "path", where, "k", n.k)
	for _, c := range spec.Children {
		n.m.Add(c.ID, childSpec(c), &kidOf{spec: c})
	}
	p.nodes[where] = n
	return n
}

func (p *player) supEnd(n *node, out *Outcome) {
	n.ended = true
	reason, end := "shutdown", actor.End{Class: actor.ClassShutdown}
	if out.Rule == ByStart {
		reason = fmt.Sprintf("shutdown:failed_to_start_child:%s(%v)", out.Child, out.Err)
		end = actor.End{Class: actor.ClassStartFailed, Err: errors.New(reason)}
	}
	p.note("sup_exit", "path", n.path, "k", n.k, "reason", reason)
	if n.parent == nil {
		p.over = true
		return
	}
	p.later(func() { p.feed(n.parent, Input{Kind: Exited, Slot: n.slot, Gen: n.gen, End: end}) })
}

// stop asks a child. One that takes longer than it may is left to its timer.
func (p *player) stop(n *node, s *Slot) {
	data := s.Data.(*kidOf)
	if data.spec.Kind == "supervisor" {
		sup := data.sup
		p.later(func() { p.feed(sup, Input{Kind: Stop}) })
		return
	}
	run, spec := data.run, data.spec
	took := time.Duration(spec.Stop.MS) * time.Millisecond
	if s.Spec.Shutdown == Brutal || spec.Stop.Mode == "ignore" || spec.Stop.Mode == "slow" && took > s.Spec.Shutdown {
		return
	}
	reason := spec.StopExit
	if reason == "" {
		reason = "shutdown"
	}
	p.later(func() {
		if spec.Stop.Mode == "slow" {
			p.now = p.now.Add(took)
		}
		p.exit(run, reason)
		p.feed(n, Input{Kind: Exited, Slot: s, Gen: run.gen, End: actor.Classify(nil, true, true)})
	})
}

func (p *player) exit(run *otpRun, reason string) {
	if run.alive {
		run.alive = false
		p.note("exit", "path", run.path, "k", run.k, "reason", reason)
	}
}

var otpReasons = map[string]error{
	"normal": nil, "shutdown": actor.ErrShutdown, "shutdown_tuple": actor.Shutdown(errBoom),
	"abnormal": errBoom, "kill": actor.ErrKilled,
}

func (p *player) crash(where, reason string) string {
	run := p.latest[where]
	if run == nil || !run.alive {
		return "no_path"
	}
	p.exit(run, strings.Replace(reason, "kill", "killed", 1))
	p.feed(run.node, Input{Kind: Exited, Slot: run.slot, Gen: run.gen, End: actor.Classify(otpReasons[reason], false, true)})
	return "ok"
}

func config(s *otp.Spec) Config {
	c := Config{Dynamic: s.Template != nil}
	c.Intensity.Max, c.Intensity.Within = s.Limit()
	if !c.Dynamic && s.Strategy != "" {
		if err := c.Strategy.UnmarshalText([]byte(s.Strategy)); err != nil {
			panic(err)
		}
	}
	c.AutoShutdown = map[string]AutoShutdown{"any_significant": AnySignificant, "all_significant": AllSignificant}[s.AutoShutdown]
	return c
}

func childSpec(s *otp.Spec) *Child {
	c := &Child{Shutdown: 5 * time.Second, Significant: s.Significant == true, Supervisor: s.Supervisor(), Killable: s.Supervisor()}
	if s.Restart != "" {
		if err := c.Restart.UnmarshalText([]byte(s.Restart)); err != nil {
			panic(err)
		}
	}
	switch v := s.Shutdown.(type) {
	case float64:
		c.Shutdown = time.Duration(v) * time.Millisecond
	case string:
		c.Shutdown = map[string]time.Duration{"brutal_kill": Brutal, "infinity": Infinity}[v]
	case nil:
		if c.Supervisor {
			c.Shutdown = Infinity
		}
	}
	return c
}

// slotAt finds the slot of the child that a path names in its running supervisor.
func (p *player) slotAt(where string) *Slot {
	n := p.nodes[path.Dir(where)]
	if n == nil || n.ended {
		return nil
	}
	return n.m.Slot(path.Base(where))
}
