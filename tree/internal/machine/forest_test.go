package machine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/coppice-go/coppice/actor"
)

// plant describes a child of a forest: a supervisor if it has a Config.
type plant struct {
	name string
	Child
	cfg  *Config
	kids []plant
}

// budget is how much may still happen that nobody needs.
type budget struct {
	faults   int
	requests int
	stops    int
}

// forest is a supervisor and those below it, as machines, in a world in which
// things happen in any order: each of its moves is one thing that can happen next.
// It notices what must never happen.
type forest struct {
	now    time.Time
	root   *tree
	trees  []*tree // alive
	leaves []*leaf // alive, those given up too
	news   []news  // from one machine to another, not arrived
	timers []alarm
	left   budget
	open   []*Request
	serial int
	menu   []func(*forest, *tree) *Request
	wrong  []string
	log    []string
}

// tree is an incarnation of a supervisor.
type tree struct {
	name     string
	m        *Machine
	parent   *tree
	slot     *Slot
	gen      int
	plants   map[string]plant
	restarts int
	ending   bool
	ended    bool
}

// leaf is an incarnation of a child that is no supervisor.
type leaf struct {
	sup                *tree
	slot               *Slot
	gen                int
	ready, asked, lost bool
}

type news struct {
	from, to *tree
	in       Input
}

type alarm struct {
	sup   *tree
	slot  *Slot
	token uint64
	at    time.Time
}

func newForest(p plant, left budget, menu ...func(*forest, *tree) *Request) *forest {
	f := &forest{now: time.Unix(1_000_000, 0), left: left, menu: menu}
	f.root = f.grow(p, nil, nil, 0)
	f.step(f.root, Input{Kind: Begin})
	return f
}

func (f *forest) grow(p plant, parent *tree, slot *Slot, gen int) *tree {
	m := New(*p.cfg)
	t := &tree{name: p.name, m: &m, parent: parent, slot: slot, gen: gen, plants: map[string]plant{}}
	t.m.Want = ^Mask(0)
	for _, k := range p.kids {
		spec := k.Child
		if k.cfg != nil {
			spec.Supervisor, spec.Killable = true, true
		}
		t.m.Add(k.name, &spec, nil)
		t.plants[k.name] = k
	}
	f.trees = append(f.trees, t)
	return t
}

func (f *forest) fail(format string, args ...any) {
	f.wrong = append(f.wrong, fmt.Sprintf(format, args...))
}

func (f *forest) say(format string, args ...any) {
	f.log = append(f.log, fmt.Sprintf(format, args...))
}

func (f *forest) step(t *tree, in Input) {
	for _, e := range t.m.Step(f.now, in, nil) {
		f.carryOut(t, e)
	}
}

func (f *forest) carryOut(t *tree, e Effect) {
	switch e.Kind {
	case DoStart:
		f.start(t, e.Slot, e.Gen)
	case DoStop:
		f.stop(t, e.Slot, e.Gen)
	case DoKill:
		if n := f.treeOf(t, e.Slot); n != nil {
			f.news = append(f.news, news{t, n, Input{Kind: Kill}})
		}
	case DoAbandon:
		if l := f.leafOf(e.Slot, e.Gen); l != nil {
			l.lost = true
		} else {
			f.fail("%s#%d is given up and not alive", e.Slot.Name, e.Gen)
		}
	case SetTimer:
		f.timers = append(f.timers, alarm{t, e.Slot, e.Token, f.now.Add(e.Delay)})
	case CancelTimer:
		f.timers = slices.DeleteFunc(f.timers, func(a alarm) bool { return a.sup == t && a.slot == e.Slot })
	case DoAnswer:
		i := slices.Index(f.open, e.Answer.Request)
		if i < 0 {
			f.fail("%v %s is answered and was not open", e.Answer.Request.Op, e.Answer.Request.Name)
			return
		}
		f.open = slices.Delete(f.open, i, i+1)
	case Up:
		f.tell(t, Input{Kind: Ready, Slot: t.slot, Gen: t.gen})
	case DoEnd:
		f.end(t, e.Outcome)
	case Emit:
		f.event(t, e.Event)
	}
}

// tell is news for the parent.
func (f *forest) tell(t *tree, in Input) {
	if t.parent != nil {
		f.news = append(f.news, news{t, t.parent, in})
	}
}

func (f *forest) start(t *tree, s *Slot, gen int) {
	f.say("start %s/%s#%d", t.name, s.Name, gen)
	if t.m.Stopping() {
		f.fail("start of %s while %s is stopping", s.Name, t.name)
	}
	for _, l := range f.leaves {
		if l.sup == t && !l.lost && (l.slot == s || !l.ready && !l.asked) {
			f.fail("start of %s while %s#%d is there", s.Name, l.slot.Name, l.gen)
		}
	}
	if n := f.treeOf(t, s); n != nil {
		f.fail("second %s", s.Name)
	}
	if p := t.plants[s.Name]; p.cfg != nil {
		n := f.grow(p, t, s, gen)
		f.news = append(f.news, news{t, n, Input{Kind: Begin}})
		return
	}
	f.leaves = append(f.leaves, &leaf{sup: t, slot: s, gen: gen})
}

func (f *forest) stop(t *tree, s *Slot, gen int) {
	f.say("stop %s/%s#%d", t.name, s.Name, gen)
	if t.ending && !t.m.op.concurrent && s.isReady { // one that was just starting is bounded first
		for _, later := range t.m.kids.list[s.pos+1:] {
			if later != nil && later.Active() {
				f.fail("%s is stopped before %s", s.Name, later.Name)
			}
		}
	}
	if n := f.treeOf(t, s); n != nil {
		f.news = append(f.news, news{t, n, Input{Kind: Stop}})
		return
	}
	l := f.leafOf(s, gen)
	if l == nil || l.asked {
		f.fail("stop of %s#%d, which is not there or was asked before", s.Name, gen)
		return
	}
	l.asked = true
}

func (f *forest) end(t *tree, out *Outcome) {
	f.say("end of %s", t.name)
	t.ended = true
	for _, l := range f.leaves {
		if l.sup == t && !l.lost {
			f.fail("%s has ended before %s#%d", t.name, l.slot.Name, l.gen)
		}
	}
	for _, n := range f.trees {
		if n.parent == t && !n.ended {
			f.fail("%s has ended before %s", t.name, n.name)
		}
	}
	f.trees = slices.DeleteFunc(f.trees, func(n *tree) bool { return n == t })
	f.timers = slices.DeleteFunc(f.timers, func(a alarm) bool { return a.sup == t })
	end := actor.End{Class: actor.ClassShutdown}
	switch {
	case out.Abnormal:
		end.Class = actor.ClassAbnormal
	case out.Rule == ByStart:
		end = actor.End{Class: actor.ClassStartFailed, Err: errBoom}
	}
	f.tell(t, Input{Kind: Exited, Slot: t.slot, Gen: t.gen, End: end})
}

// event keeps count of the restarts: none may go uncounted.
func (f *forest) event(t *tree, e *Event) {
	switch e.Kind {
	case RestartPlanned:
		t.restarts++
		if limit := t.m.cfg.Intensity.WithDefaults().Max; limit >= 0 && t.restarts > limit {
			f.fail("%s restarts more often than %d times", t.name, limit)
		}
	case SupervisorEnding:
		t.ending = true
	case ChildStarting, ChildStarted:
		if t.ending {
			f.fail("%s is started while %s is stopping", e.Slot.Name, t.name)
		}
	}
}

func (f *forest) treeOf(parent *tree, s *Slot) *tree {
	for _, t := range f.trees {
		if t.parent == parent && t.slot == s {
			return t
		}
	}
	return nil
}

func (f *forest) leafOf(s *Slot, gen int) *leaf {
	for _, l := range f.leaves {
		if l.slot == s && l.gen == gen && !l.lost {
			return l
		}
	}
	return nil
}

// move is one thing that can happen.
type move struct {
	text string
	do   func()
	free bool // nobody has to wait for it: it need not happen
}

// moves are all things that can happen next, in an order that depends on nothing
// but the state.
func (f *forest) moves() (list []move) {
	add := func(free bool, do func(), format string, args ...any) {
		list = append(list, move{fmt.Sprintf(format, args...), do, free})
	}
	for i, n := range f.news {
		first := !slices.ContainsFunc(f.news[:i], func(o news) bool { return o.from == n.from && o.to == n.to })
		if first {
			add(false, func() { f.arrive(i) }, "news %d from %s for %s", n.in.Kind, n.from.name, n.to.name)
		}
	}
	for _, l := range f.leaves {
		f.movesOf(l, add)
	}
	if len(f.timers) > 0 {
		add(false, f.fire, "clock")
	}
	if f.left.requests > 0 {
		for _, t := range f.trees {
			for i, make := range f.menu {
				add(true, func() { f.request(make(f, t), t) }, "request %d of %s", i, t.name)
			}
		}
	}
	if f.left.stops > 0 && !f.root.ended {
		add(true, func() { f.left.stops--; f.step(f.root, Input{Kind: Stop}) }, "stop")
	}
	return list
}

func (f *forest) movesOf(l *leaf, add func(bool, func(), string, ...any)) {
	name := fmt.Sprintf("%s/%s#%d", l.sup.name, l.slot.Name, l.gen)
	end := func(err error) func() {
		return func() {
			f.leaves = slices.DeleteFunc(f.leaves, func(o *leaf) bool { return o == l })
			f.step(l.sup, Input{Kind: Exited, Slot: l.slot, Gen: l.gen, End: actor.Classify(err, l.asked, l.ready)})
		}
	}
	fault := func(err error) func() { return func() { f.left.faults--; end(err)() } }
	switch {
	case l.lost:
		add(true, end(nil), "%s ends late", name)
	case l.asked:
		add(false, end(nil), "%s ends, as asked", name)
	case !l.ready:
		add(false, func() {
			l.ready = true
			f.step(l.sup, Input{Kind: Ready, Slot: l.slot, Gen: l.gen})
		}, "%s is ready", name)
	}
	if !l.asked && f.left.faults > 0 {
		add(true, fault(errBoom), "%s fails", name)
		if l.ready {
			add(true, fault(nil), "%s is done", name)
		}
	}
}

func (f *forest) arrive(i int) {
	n := f.news[i]
	f.news = slices.Delete(f.news, i, i+1)
	if !n.to.ended {
		f.step(n.to, n.in)
	}
}

// fire is the next timer, at its time.
func (f *forest) fire() {
	first := 0
	for i, a := range f.timers {
		if a.at.Before(f.timers[first].at) {
			first = i
		}
	}
	a := f.timers[first]
	f.timers = slices.Delete(f.timers, first, first+1)
	f.now = a.at
	f.step(a.sup, Input{Kind: TimerFired, Slot: a.slot, Token: a.token})
}

func (f *forest) request(r *Request, t *tree) {
	f.left.requests--
	f.open = append(f.open, r)
	f.step(t, Input{Kind: Ask, Request: r})
}

// atRest says what is unfinished though nothing has to happen any more.
func (f *forest) atRest() error {
	var bad []string
	if len(f.open) > 0 {
		bad = append(bad, fmt.Sprintf("%d requests without an answer", len(f.open)))
	}
	for _, t := range f.trees {
		if t.m.phase != up || t.m.Busy() || t.m.queue.head != len(t.m.queue.items) {
			bad = append(bad, t.name+" is busy")
		}
		t.m.Slots(func(s *Slot) bool {
			if s.State != Running && s.State != Down {
				bad = append(bad, fmt.Sprintf("%s/%s is %d", t.name, s.Name, s.State))
			}
			return true
		})
	}
	if len(bad) == 0 {
		return nil
	}
	return errors.New(strings.Join(bad, ", "))
}
