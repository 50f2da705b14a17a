package machine

import (
	"time"

	"github.com/coppice-go/coppice/actor"
)

type opKind uint8

const (
	opNone      opKind = iota
	opInit             // start all
	opGroup            // stop a range, then start it
	opUnhealthy        // stop one, then treat it as failed
	opEnd              // stop all, then end
	opStart            // by request: start one
	opTerminate        // by request: stop one
	opReplace          // by request: stop one, then start it
)

// op is an ordered operation over the positions [lo, hi): first stops, from the
// last to the first, then starts, from the first to the last.
type op struct {
	kind   opKind
	stops  bool // still stopping
	lo, hi int
	next   int           // how many of the range are done in this half
	cur    *Slot         // awaited
	origin *Slot         // opGroup: who failed
	delay  time.Duration // opGroup: between the stops and the starts
	cause  *Cause
	req    *Request
	err    error // to be answered

	concurrent bool // opEnd: all at once
	waiting    int
	token      uint64
	due        time.Time // when the common timer fires
}

// advance goes on with the op until it waits for a child or is done.
func (m *Machine) advance() {
	for m.op.kind != opNone && m.op.cur == nil && m.op.waiting == 0 {
		o := &m.op
		switch {
		case o.stops && o.next < o.hi-o.lo:
			s := m.kids.list[o.hi-1-o.next]
			o.next++
			if s != nil && s != o.origin {
				m.bringDown(s)
			}
		case o.stops:
			o.stops, o.next = false, 0
			m.stopsDone()
		case o.starts() && o.next < o.hi-o.lo:
			s := m.kids.list[o.lo+o.next]
			o.next++
			if s != nil {
				m.start(s)
			}
		default:
			m.finish()
		}
	}
}

func (o *op) starts() bool {
	return o.kind == opInit || o.kind == opGroup || o.kind == opStart || o.kind == opReplace
}

// stopsDone is between the stops and the starts.
func (m *Machine) stopsDone() {
	switch {
	case m.op.kind != opGroup:
	case m.op.delay > 0:
		m.arm(m.op.origin, m.op.delay)
		m.op = op{}
	default:
		// If a child before it fails to start, it is just one that stays down.
		m.setState(m.op.origin, Down)
	}
}

// finish is the end of an op in which nothing went wrong.
func (m *Machine) finish() {
	o := m.op
	m.op = op{}
	switch o.kind {
	case opInit:
		m.phase = up
		m.emit(Event{Kind: SupervisorStarted})
		m.put(Effect{Kind: Up})
	case opUnhealthy:
		s := m.kids.list[o.lo]
		end := actor.End{Class: actor.ClassAbnormal, Err: s.failing}
		s.failing = nil
		m.childEnded(s, end)
	case opEnd:
		m.phase = ended
		m.put(Effect{Kind: DoEnd, Outcome: &m.outcome})
	case opStart, opTerminate, opReplace:
		m.answer(o.req, o.err)
		o.req.answer.Failed = o.err != nil && o.kind != opTerminate
	}
}
