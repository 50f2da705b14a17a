package machine

import (
	"time"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
)

type phase uint8

const (
	starting phase = iota
	up
	stopping
	ended
)

// Machine is one supervisor. It is not safe for concurrent use.
type Machine struct {
	cfg     Config
	kids    slots
	window  strategies.Window
	ahead   queue // of ends alone
	queue   queue
	row     int // how many went ahead in a row
	op      op
	lost    []lost // given up while alive
	phase   phase
	outcome Outcome
	token   uint64 // last token given
	now     time.Time

	// Want is the set of events to be reported. The shell may change it between
	// steps.
	Want Mask

	out []Effect // of the step
}

// New returns a machine that waits for Begin. It is not to be copied after that.
func New(cfg Config) Machine {
	return Machine{cfg: cfg, window: strategies.NewWindow(cfg.Intensity)}
}

// Reserve makes room for n static children at once.
func (m *Machine) Reserve(n int) { m.kids.reserve(n) }

// Add declares a static child, before Begin.
func (m *Machine) Add(name string, spec *Child, data any) *Slot {
	s := m.kids.static(name)
	s.Spec, s.Data = spec, data
	m.kids.add(s)
	return s
}

// Step takes one input, and appends to out what is to be done about it.
func (m *Machine) Step(now time.Time, in Input, out []Effect) []Effect {
	m.now, m.out = now, out
	switch in.Kind {
	case Begin:
		m.op = op{kind: opInit, hi: len(m.kids.list)}
	case Ready:
		m.ready(in.Slot, in.Gen)
	case Exited:
		m.exited(in.Slot, in.Gen, in.End, in.Ahead)
	case Unhealthy:
		if in.Slot.State == Running && in.Slot.Gen == in.Gen {
			m.queue.push(item{kind: itemUnhealthy, slot: in.Slot, gen: in.Gen, err: in.End.Err})
		}
	case Extend:
		m.extend(in.Slot, in.Gen, in.Delay)
	case TimerFired:
		m.timerFired(in.Slot, in.Token)
	case Ask:
		m.ask(in.Request)
	case Withdraw:
		m.queue.withdraw(in.Request)
	case Stop:
		if m.phase < stopping {
			m.end(Outcome{Rule: ByRequest})
		}
	case Kill:
		m.kill()
	}
	m.run()
	out, m.out = m.out, nil
	return out
}

// run advances the op in progress and takes from the queue when there is none.
func (m *Machine) run() {
	for {
		m.advance()
		if m.op.kind != opNone || m.phase != up {
			return
		}
		m.kids.compact() // no position is in use
		it, ok := m.nextItem()
		if !ok {
			return
		}
		m.handle(it)
	}
}

// maxAhead is how many may go ahead of one that waits.
const maxAhead = 16

func (m *Machine) nextItem() (item, bool) {
	if m.row < maxAhead || m.queue.empty() {
		if it, ok := m.ahead.pop(); ok {
			m.row++
			return it, true
		}
	}
	m.row = 0
	return m.queue.pop()
}

func (m *Machine) handle(it item) {
	s := it.slot
	switch it.kind {
	case itemExit:
		if s.State == Ended && s.Gen == it.gen {
			m.childEnded(s, s.Last)
		}
	case itemUnhealthy:
		if s.State == Running && s.Gen == it.gen {
			s.failing = it.err
			m.op = op{kind: opUnhealthy, stops: true, lo: s.pos, hi: s.pos + 1, cause: &Cause{Reason: actor.ErrUnhealthy, Err: it.err}}
		}
	case itemRetry:
		if s.State == Waiting && s.token == it.token && !s.removed {
			m.retry(s, it.counted)
		}
	case itemRequest:
		m.serve(it.req)
	}
}

// exited is the end of an incarnation, asked for or not, on time or not.
func (m *Machine) exited(s *Slot, gen int, end actor.End, ahead bool) {
	if gen != s.Gen || !s.Active() {
		m.lateEnd(s, gen)
		return
	}
	switch s.State {
	case Starting:
		m.startEnded(s, end)
	case Stopping:
		m.stopped(s, end)
	case Running:
		m.setState(s, Ended)
		m.noteEnd(s, end)
		q := &m.queue
		if ahead && m.queue.firm == 0 {
			q = &m.ahead
		}
		q.push(item{kind: itemExit, slot: s, gen: gen, soon: !ahead})
	}
}

func (m *Machine) timerFired(s *Slot, token uint64) {
	if s == nil {
		if m.op.concurrent && m.op.token == token {
			m.graceOver()
		}
		return
	}
	if !s.armed || s.token != token {
		return
	}
	s.armed = false
	switch s.State {
	case Starting:
		s.failing = actor.ErrStartTimeout
		m.stopSlot(s, &Cause{Reason: actor.ErrUnhealthy, Err: actor.ErrStartTimeout})
	case Stopping:
		m.graceOverFor(s)
	case Waiting:
		m.queue.push(item{kind: itemRetry, slot: s, token: token, counted: true})
	}
}

// setState enters a state and voids what was pending for the old one.
func (m *Machine) setState(s *Slot, st State) {
	m.disarm(s)
	m.token++
	s.token = m.token
	m.kids.count(s, -1)
	s.State, s.Since = st, m.now
	m.kids.count(s, 1)
}

func (m *Machine) arm(s *Slot, d time.Duration) {
	s.armed = true
	m.put(Effect{Kind: SetTimer, Slot: s, Delay: d, Token: s.token})
}

func (m *Machine) disarm(s *Slot) {
	if s.armed {
		s.armed = false
		m.put(Effect{Kind: CancelTimer, Slot: s})
	}
}

// noteEnd keeps and reports the end of the incarnation.
func (m *Machine) noteEnd(s *Slot, end actor.End) {
	s.ran = 0
	if s.isReady {
		s.ran = m.now.Sub(s.Started)
	}
	s.Last, s.HasEnded = end, true
	m.emit(Event{Kind: ChildEnded, Slot: s, Gen: s.Gen, End: end, Ran: s.ran})
}

// drop forgets a child whose spec does not outlive its incarnation.
func (m *Machine) drop(s *Slot) {
	if s.Spec.Restart == strategies.Temporary || m.cfg.Dynamic {
		m.remove(s)
	}
}

func (m *Machine) remove(s *Slot) {
	m.kids.remove(s)
	m.put(Effect{Kind: DoRemove, Slot: s})
}

func (m *Machine) put(e Effect) { m.out = append(m.out, e) }
func (m *Machine) emit(e Event) {
	if m.Want.Has(e.Kind) {
		event := e
		m.put(Effect{Kind: Emit, Event: &event})
	}
}

// Slot returns the child of that name, or nil.
func (m *Machine) Slot(name string) *Slot { return m.kids.find(name) }

// Slots calls f for every child in start order until f returns false.
func (m *Machine) Slots(f func(*Slot) bool) {
	for _, s := range m.kids.list {
		if s != nil && !f(s) {
			return
		}
	}
}

// List returns the children in start order, with holes where some were removed. It
// costs nothing: more holes may come, but nothing else changes in it.
func (m *Machine) List() []*Slot { return m.kids.list }

// Len is the number of children, running or not.
func (m *Machine) Len() int { return m.kids.n }

// Counts are of the children, running or not.
type Counts struct {
	All, Active, Supervisors int
}

// Counts counts the children. It costs nothing.
func (m *Machine) Counts() Counts {
	return Counts{m.kids.n, m.kids.active, m.kids.supervisors}
}

// Used returns how many restarts are in the window and the limit.
func (m *Machine) Used(now time.Time) (int, strategies.Intensity) {
	return m.window.Used(now), m.window.Intensity()
}

// StartsMore tells whether the operation in progress has more children to start.
func (m *Machine) StartsMore() bool {
	return m.op.starts() && !m.op.stops && m.op.next < m.op.hi-m.op.lo
}

// RestartsOne tells whether the operation in progress is the restart of one child.
func (m *Machine) RestartsOne() bool { return m.op.kind == opGroup && m.op.hi-m.op.lo == 1 }

// Busy tells whether an ordered operation is in progress.
func (m *Machine) Busy() bool { return m.op.kind != opNone }

// Stopping tells whether the supervisor is on its way down, or down.
func (m *Machine) Stopping() bool { return m.phase >= stopping }
