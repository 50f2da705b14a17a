package machine

import (
	"errors"
	"fmt"
	"time"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
)

// acting is a Machine, or what should do the same.
type acting interface {
	Add(name string, spec *Child, data any) *Slot
	Step(now time.Time, in Input, out []Effect) []Effect
	Slot(name string) *Slot
	Slots(f func(*Slot) bool)
	Stopping() bool
	Busy() bool
	Used(now time.Time) (int, strategies.Intensity)
	serving(r *Request) bool
}

// world carries out what a machine wants done, without a single goroutine, and
// notices what must never happen. Its children do nothing by themselves: a test,
// or chance, decides when each is ready and when it ends.
type world struct {
	m      acting
	now    time.Time
	living []incarnation // started and not ended, the given up ones aside
	lost   []incarnation // given up while alive
	timers []timer
	stale  []timer           // cancelled, and on their way all the same
	open   map[*Request]bool // asked and neither answered nor withdrawn
	last   *Request
	events []Event
	trace  []string // what the world saw, for failures and for tests
	up     bool
	ended  *Outcome
	wrong  []string
}

type incarnation struct {
	slot  *Slot
	gen   int
	ready bool
	asked bool
}

type timer struct {
	slot  *Slot
	token uint64
	at    time.Time
}

func newWorld(cfg Config, kids ...kid) *world {
	return worldOf(machineOf(cfg), kids...)
}

func machineOf(cfg Config) acting {
	m := New(cfg)
	m.Want = ^Mask(0)
	return &m
}

func worldOf(m acting, kids ...kid) *world {
	w := &world{m: m, now: time.Unix(1_000_000, 0), open: map[*Request]bool{}}
	for _, k := range kids {
		spec := k.Child
		w.m.Add(k.name, &spec, nil)
	}
	return w
}

type kid struct {
	name string
	Child
}

func (w *world) fail(format string, args ...any) {
	w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
}

func (w *world) step(in Input) {
	for _, e := range w.m.Step(w.now, in, nil) {
		w.carryOut(e)
	}
	w.checkCounts()
}

// checkCounts counts what the machine only keeps count of.
func (w *world) checkCounts() {
	m, ok := w.m.(*Machine)
	if !ok {
		return // the reference
	}
	var c Counts
	m.Slots(func(s *Slot) bool {
		c.All++
		if s.Active() {
			c.Active++
		}
		if s.Spec.Supervisor {
			c.Supervisors++
		}
		return true
	})
	if c != m.Counts() {
		w.fail("counts are %+v, counted %+v", m.Counts(), c)
	}
}

func (w *world) note(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf(format, args...))
}

func (w *world) carryOut(e Effect) {
	if w.ended != nil && e.Kind != Emit && e.Kind != DoAnswer {
		w.fail("effect %d after the end", e.Kind)
	}
	switch e.Kind {
	case DoStart:
		w.started(e)
	case DoStop:
		w.note("stop %s", e.Slot.Name)
		i := w.find(e.Slot, e.Gen)
		if i == nil || i.asked {
			w.fail("stop of %s#%d, which is not running or was asked before", e.Slot.Name, e.Gen)
			return
		}
		if e.Cause == nil {
			w.fail("stop of %s#%d without a cause", e.Slot.Name, e.Gen)
		}
		i.asked = true
	case DoKill:
		w.note("kill %s", e.Slot.Name)
	case DoAbandon:
		w.note("abandon %s", e.Slot.Name)
		i := w.take(e.Slot, e.Gen)
		if i == nil {
			w.fail("%s#%d is given up and not alive", e.Slot.Name, e.Gen)
			return
		}
		w.lost = append(w.lost, *i)
	case DoRemove:
		if w.anyOf(e.Slot) {
			w.fail("%s is forgotten while it lives", e.Slot.Name)
		}
	case SetTimer:
		w.timers = append(w.timers, timer{e.Slot, e.Token, w.now.Add(e.Delay)})
	case CancelTimer:
		w.dropTimers(e.Slot)
	case DoAnswer:
		w.note("answer %s %s: %v", e.Answer.Request.Op, e.Answer.Request.Name, e.Answer.Err)
		if !w.open[e.Answer.Request] {
			w.fail("%v is answered twice, or was not asked", *e.Answer.Request)
		}
		delete(w.open, e.Answer.Request)
	case Up:
		w.note("up")
		if w.up {
			w.fail("up twice")
		}
		w.up = true
	case DoEnd:
		w.note("end")
		w.ended = e.Outcome
		if len(w.living) > 0 {
			w.fail("ended with %d children alive", len(w.living))
		}
		if len(w.open) > 0 {
			w.fail("ended with %d requests open", len(w.open))
		}
	case Emit:
		w.events = append(w.events, *e.Event)
	}
}

func (w *world) started(e Effect) {
	w.note("start %s", e.Slot.Name)
	if w.m.Stopping() {
		w.fail("start of %s while stopping", e.Slot.Name)
	}
	if w.anyOf(e.Slot) {
		w.fail("second incarnation of %s", e.Slot.Name)
	}
	for _, i := range w.living {
		if !i.ready && !i.asked {
			w.fail("%s is started while %s is not ready", e.Slot.Name, i.slot.Name)
		}
		if i.slot.Name == e.Slot.Name {
			w.fail("two children named %s", e.Slot.Name)
		}
	}
	w.living = append(w.living, incarnation{slot: e.Slot, gen: e.Gen})
}

func (w *world) find(s *Slot, gen int) *incarnation {
	for n := range w.living {
		if i := &w.living[n]; i.slot == s && i.gen == gen {
			return i
		}
	}
	return nil
}

func (w *world) anyOf(s *Slot) bool {
	for _, i := range w.living {
		if i.slot == s {
			return true
		}
	}
	return false
}

func (w *world) take(s *Slot, gen int) *incarnation {
	for n, i := range w.living {
		if i.slot == s && i.gen == gen {
			w.living = append(w.living[:n:n], w.living[n+1:]...)
			return &i
		}
	}
	return nil
}

func (w *world) dropTimers(s *Slot) {
	kept := w.timers[:0]
	for _, t := range w.timers {
		if t.slot != s {
			kept = append(kept, t)
		} else {
			w.stale = append(w.stale, t)
		}
	}
	w.timers = kept
}

// ready lets the child of that name become ready.
func (w *world) ready(name string) {
	for n := range w.living {
		if i := &w.living[n]; i.slot.Name == name && !i.ready {
			i.ready = true
			w.step(Input{Kind: Ready, Slot: i.slot, Gen: i.gen})
			return
		}
	}
	w.fail("%s is not starting", name)
}

// end lets the child of that name end with err, as package actor reads it.
func (w *world) end(name string, err error) {
	for _, i := range w.living {
		if i.slot.Name == name {
			w.endOf(i, err)
			return
		}
	}
	w.fail("%s is not alive", name)
}

func (w *world) endOf(i incarnation, err error) {
	w.take(i.slot, i.gen)
	ready := i.ready && err != actor.ErrIgnore // a child that does not announce itself may find so late
	w.step(Input{Kind: Exited, Slot: i.slot, Gen: i.gen, End: actor.Classify(err, i.asked, ready)})
}

// tooLate lets the timers fire that were cancelled too late.
func (w *world) tooLate() {
	late := w.stale
	w.stale = nil
	for _, t := range late {
		w.step(Input{Kind: TimerFired, Slot: t.slot, Token: t.token})
	}
}

// fire lets the earliest timer fire, at its time.
func (w *world) fire() bool {
	if len(w.timers) == 0 {
		return false
	}
	first := 0
	for n, t := range w.timers {
		if t.at.Before(w.timers[first].at) {
			first = n
		}
	}
	t := w.timers[first]
	w.timers = append(w.timers[:first:first], w.timers[first+1:]...)
	if t.at.After(w.now) {
		w.now = t.at
	}
	w.step(Input{Kind: TimerFired, Slot: t.slot, Token: t.token})
	return true
}

// ask makes a request.
func (w *world) ask(r *Request) *Request {
	w.open[r] = true
	w.last = r
	w.step(Input{Kind: Ask, Request: r})
	return r
}

// cooperate lets every child do what is expected of it until nothing moves:
// starting ones become ready, those asked to stop end, timers fire.
func (w *world) cooperate() {
	for range 10_000 {
		moved := false
		for _, i := range w.living {
			if i.asked {
				w.endOf(i, nil)
				moved = true
				break
			}
			if !i.ready {
				w.ready(i.slot.Name)
				moved = true
				break
			}
		}
		if !moved && !w.fire() {
			return
		}
	}
	w.fail("never comes to rest")
}

// serving tells whether r is being carried out.
func (m *Machine) serving(r *Request) bool { return m.op.req == r }

var errBoom = errors.New("boom")
