package machine

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
)

// reference is the semantics written down a second time, as a supervisor that does
// one thing after the other and waits in the middle of it, as OTP's does. It is
// slow, and made to be read. It stands where a Machine can.
type reference struct {
	cfg     Config
	kids    []*Slot // in start order
	times   []time.Time
	count   int // restarts, where there is no limit
	queue   []item
	phase   phase
	token   uint64
	req     *Request // being carried out
	cur     *Slot    // whose start or end is waited for
	late    *Slot    // being stopped because it was not ready in time
	lateErr error
	lost    []lost
	common  uint64 // token of the common timer
	now     time.Time
	in      Input
	out     []Effect
	resume  func() (struct{}, bool)
	wait    func()
	close   func()
}

func newReference(cfg Config) *reference {
	r := &reference{cfg: cfg}
	r.resume, r.close = iter.Pull(func(yield func(struct{}) bool) {
		defer func() {
			if e := recover(); e != nil && e != errClosed {
				panic(e)
			}
		}()
		r.wait = func() {
			if !yield(struct{}{}) {
				panic(errClosed)
			}
		}
		r.life()
	})
	return r
}

var errClosed = errors.New("closed")

func (r *reference) Add(name string, spec *Child, data any) *Slot {
	s := &Slot{Name: name, Spec: spec, Data: data}
	r.kids = append(r.kids, s)
	return s
}

func (r *reference) Step(now time.Time, in Input, out []Effect) []Effect {
	r.now, r.in, r.out = now, in, out
	if r.phase == ended {
		r.anyTime(in)
	} else {
		r.resume()
	}
	return r.out
}

func (r *reference) Slot(name string) *Slot {
	for _, s := range r.kids {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// Slots calls f for every child in start order.
func (r *reference) Slots(f func(*Slot) bool) {
	for _, s := range r.kids {
		if !f(s) {
			return
		}
	}
}

// Used is how many restarts are in the window that ends now.
func (r *reference) Used(now time.Time) (int, strategies.Intensity) {
	r.now = now
	return r.used(), r.cfg.Intensity.WithDefaults()
}

// Busy tells whether it waits for a child.
func (r *reference) Busy() bool { return r.phase != ended && r.cur != nil }

func (r *reference) Stopping() bool          { return r.phase >= stopping }
func (r *reference) serving(q *Request) bool { return r.req == q }

func (r *reference) put(e Effect) { r.out = append(r.out, e) }
func (r *reference) emit(e Event) { r.put(Effect{Kind: Emit, Event: &e}) }

// ending is thrown where the supervisor begins to end.
type ending struct {
	out  Outcome
	kill bool
}

func (r *reference) life() {
	end := r.untilEnding()
	r.phase, r.late = stopping, nil
	r.emit(Event{Kind: SupervisorEnding, Rule: end.out.Rule, Name: end.out.Child, End: actor.End{Err: end.out.Err}, Used: end.out.Used})
	if r.req != nil {
		r.answer(r.req, ErrStopped)
		r.req = nil
	}
	for _, it := range r.queue {
		if it.req != nil {
			r.answer(it.req, ErrStopped)
		}
	}
	r.queue = nil
	r.stopAll(&end)
	r.phase = ended
	r.put(Effect{Kind: DoEnd, Outcome: &end.out})
}

func (r *reference) untilEnding() (end ending) {
	defer func() {
		e := recover()
		var ok bool
		if end, ok = e.(ending); !ok {
			panic(e)
		}
	}()
	for _, s := range slices.Clone(r.kids) {
		if f := r.start(s); f != nil {
			panic(ending{out: Outcome{Rule: ByStart, Child: s.Name, Err: f.Err}})
		}
	}
	r.phase = up
	r.emit(Event{Kind: SupervisorStarted})
	r.put(Effect{Kind: Up})
	for {
		for len(r.queue) == 0 {
			r.next()
		}
		it := r.queue[0]
		r.queue = r.queue[1:]
		r.handle(it)
	}
}

func (r *reference) handle(it item) {
	s := it.slot
	switch {
	case it.kind == itemRequest:
		r.req = it.req
		err := r.serve(it.req)
		r.answer(it.req, err)
		r.req = nil
	case it.kind == itemExit && s.State == Ended && s.Gen == it.gen:
		r.ended(s)
	case it.kind == itemUnhealthy && s.State == Running && s.Gen == it.gen:
		r.stop(s, actor.ErrUnhealthy, r.grace(s))
		s.State = Down
		s.Last = actor.End{Class: actor.ClassAbnormal, Err: it.err}
		r.ended(s)
	case it.kind == itemRetry && s.State == Waiting && s.token == it.token && slices.Contains(r.kids, s):
		if !it.counted {
			r.counts(s, s.Last, 0)
		}
		r.restart(s, 0)
	}
}

// next waits for an input and deals with those that are dealt with at any time.
// It returns the others: what the child that is waited for does.
func (r *reference) next() Input {
	for {
		r.wait()
		switch in := r.in; in.Kind {
		case Stop:
			if r.phase < stopping {
				panic(ending{out: Outcome{Rule: ByRequest}})
			}
		case Kill:
			panic(ending{out: Outcome{Rule: ByRequest}, kill: true})
		default:
			if !r.anyTime(in) {
				return in
			}
		}
		if r.cur == nil && r.phase == up {
			return Input{}
		}
	}
}

func (r *reference) anyTime(in Input) bool {
	s := in.Slot
	switch in.Kind {
	case Ask:
		if r.phase >= stopping {
			r.answer(in.Request, ErrStopped)
		} else {
			r.queue = append(r.queue, item{kind: itemRequest, req: in.Request})
		}
	case Withdraw:
		r.queue = slices.DeleteFunc(r.queue, func(it item) bool { return it.req == in.Request })
	case Unhealthy:
		if s.State == Running && s.Gen == in.Gen {
			r.queue = append(r.queue, item{kind: itemUnhealthy, slot: s, gen: in.Gen, err: in.End.Err})
		}
	case Exited:
		if in.Gen != s.Gen || !s.Active() {
			r.lateEnd(s, in.Gen)
			return true
		}
		if s.State != Running {
			return false
		}
		s.State = Ended
		r.note(s, in.End)
		r.queue = append(r.queue, item{kind: itemExit, slot: s, gen: in.Gen})
	case TimerFired:
		if s == nil {
			return in.Token != r.common
		}
		if !s.armed || s.token != in.Token {
			return true
		}
		s.armed = false
		if s.State != Waiting {
			return false
		}
		r.queue = append(r.queue, item{kind: itemRetry, slot: s, token: in.Token, counted: true})
	case Ready:
		return s.State != Starting || s.Gen != in.Gen
	}
	return true
}

// enter is a new state; what was pending for the old one is void.
func (r *reference) enter(s *Slot, st State) {
	r.disarm(s)
	r.token++
	s.State, s.token, s.Since = st, r.token, r.now
}

func (r *reference) arm(s *Slot, d time.Duration) {
	s.armed = true
	r.put(Effect{Kind: SetTimer, Slot: s, Delay: d, Token: s.token})
}

func (r *reference) disarm(s *Slot) {
	if s.armed {
		s.armed = false
		r.put(Effect{Kind: CancelTimer, Slot: s})
	}
}

func (r *reference) note(s *Slot, end actor.End) {
	r.enter(s, s.State)
	if s == r.late { // its end is the failure of its start
		if end.Class == actor.ClassAbnormal {
			r.lateErr = fmt.Errorf("%w, and when it was stopped: %w", actor.ErrStartTimeout, end.Err)
		}
		return
	}
	s.Last, s.HasEnded, s.ran = end, true, 0
	if s.isReady {
		s.ran = r.now.Sub(s.Started)
	}
	r.emit(Event{Kind: ChildEnded, Slot: s, Gen: s.Gen, End: end, Ran: s.ran})
}

func (r *reference) lateEnd(s *Slot, gen int) {
	if i := slices.Index(r.lost, lost{s, gen}); i >= 0 {
		r.lost = slices.Delete(r.lost, i, i+1)
		s.Stuck = 0
		for _, l := range r.lost {
			if l.slot == s {
				s.Stuck = l.gen
			}
		}
	}
}

func (r *reference) forget(s *Slot) {
	r.kids = slices.DeleteFunc(r.kids, func(k *Slot) bool { return k == s })
	r.put(Effect{Kind: DoRemove, Slot: s})
}

// keep forgets what is not kept once it has ended.
func (r *reference) keep(s *Slot) {
	if r.cfg.Dynamic || s.Spec.Restart == strategies.Temporary {
		r.forget(s)
	}
}

func (r *reference) answer(q *Request, err error) {
	a := &Answer{Request: q, Err: err, Name: q.Name}
	if q.Op == WhichChildren && err == nil {
		a.Name = ""
		for _, s := range r.kids {
			a.Children = append(a.Children, Info{s, s.State, s.Gen})
		}
		r.put(Effect{Kind: DoAnswer, Answer: a})
		return
	}
	if a.Slot = r.Slot(q.Name); a.Slot != nil && err == nil && a.Slot.State == Running {
		a.Gen = a.Slot.Gen
	}
	r.put(Effect{Kind: DoAnswer, Answer: a})
	if q.Op != WhichChildren {
		r.emit(Event{Kind: RequestDone, Op: q.Op, Name: q.Name, End: actor.End{Err: err}})
	}
}
