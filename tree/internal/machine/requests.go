package machine

import (
	"github.com/coppice-go/coppice/actor"
)

func (m *Machine) ask(r *Request) {
	if m.phase >= stopping {
		m.answer(r, ErrStopped)
		return
	}
	m.queue.push(item{kind: itemRequest, req: r})
}

// answer answers r and reports that it is done.
func (m *Machine) answer(r *Request, err error) {
	a := &r.answer
	*a = Answer{Request: r, Err: err, Name: r.Name}
	if a.Slot = m.kids.find(r.Name); a.Slot != nil && err == nil && a.Slot.State == Running {
		a.Gen = a.Slot.Gen
	}
	m.put(Effect{Kind: DoAnswer, Answer: a})
	if r.Op != WhichChildren { // which changes nothing
		m.emit(Event{Kind: RequestDone, Op: r.Op, Name: r.Name, End: actor.End{Err: err}})
	}
}

// serve takes a request whose turn has come.
func (m *Machine) serve(r *Request) {
	s := m.kids.find(r.Name)
	switch r.Op {
	case StartInstance:
		m.serveInstance(r, s)
		return
	case WhichChildren:
		m.serveWhich(r)
		return
	case StartChild:
		m.serveStart(r, s)
		return
	}
	switch {
	case s == nil:
		m.answer(r, ErrNotFound)
	case r.Op == TerminateChild && s.State == Down:
		m.answer(r, nil)
	case r.Op == TerminateChild, r.Op == ReplaceChild:
		m.op = op{kind: opTerminate, stops: true, lo: s.pos, hi: s.pos + 1, req: r, cause: &Cause{Reason: actor.ErrRemoved}}
		if r.Op == ReplaceChild {
			m.op.kind, m.op.cause.Reason = opReplace, actor.ErrReplaced
			s.retries.Reset()
			s.Restarts = 0
		}
	case m.cfg.Dynamic:
		m.answer(r, ErrDynamic)
	case s.State == Waiting:
		m.answer(r, ErrRestarting)
	case s.State != Down:
		m.answer(r, ErrRunning)
	case r.Op == RestartChild:
		s.retries.Reset()
		s.Restarts = 0
		m.op = op{kind: opStart, lo: s.pos, hi: s.pos + 1, req: r}
	case r.Op == DeleteChild:
		m.remove(s)
		m.answer(r, nil)
	}
}

func (m *Machine) serveStart(r *Request, s *Slot) {
	switch {
	case m.cfg.Dynamic:
		m.answer(r, ErrDynamic)
	case s == nil:
		m.startNew(r)
	case s.Active() || s.State == Ended:
		m.answer(r, ErrAlreadyStarted)
	default:
		m.answer(r, ErrAlreadyPresent)
	}
}

func (m *Machine) serveInstance(r *Request, s *Slot) {
	switch {
	case !m.cfg.Dynamic:
		m.answer(r, ErrNotDynamic)
	case s != nil:
		m.answer(r, ErrAlreadyStarted)
	case m.cfg.MaxChildren > 0 && m.kids.n >= m.cfg.MaxChildren:
		m.answer(r, ErrMaxChildren)
	default:
		m.startNew(r)
	}
}

func (m *Machine) startNew(r *Request) {
	s := &Slot{Name: r.Name, Spec: r.Child, Data: r.Data}
	m.kids.add(s)
	m.op = op{kind: opStart, lo: s.pos, hi: s.pos + 1, req: r}
}

func (m *Machine) serveWhich(r *Request) {
	list := make([]Info, 0, m.kids.n)
	for _, s := range m.kids.list {
		if s != nil {
			list = append(list, Info{s, s.State, s.Gen})
		}
	}
	r.answer = Answer{Request: r, Children: list}
	m.put(Effect{Kind: DoAnswer, Answer: &r.answer})
}
