package strategies

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// settle is how long failures of the same moment, and the answers of actors that
// stop, are waited for.
const settle = time.Millisecond

// plan is one restart, of one child or a group.
type plan struct {
	s    *supervised
	kids []*kid // in start order; those whose plan is another one have left
	due  time.Time

	left  int // how many have not left
	alarm *alarm

	suspend, watch []*kid
}

// join moves k to p, which may be nil. It returns the alarm of the plan k was in
// if that has nobody left. s is locked.
func (s *supervised) join(k *kid, p *plan) (idle *alarm) {
	if old := k.plan; old != nil {
		if old.left--; old.left == 0 {
			idle = old.alarm
			delete(s.alarms, idle)
		}
	}
	if k.plan = p; p != nil {
		p.left++
	}
	return idle
}

// add counts the failure of child and takes the affected along, unless the child
// waits for a restart already.
func (p *plan) add(child *actor.PID, affected []*kid) verdict {
	var idle []*alarm
	defer func() {
		for _, a := range idle {
			a.stop()
		}
	}()
	s, now := p.s, time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.escalated {
		return waiting
	}
	for i, k := range affected {
		if old := s.kids[k.pid]; old != nil {
			affected[i] = old
		} else {
			p.watch = append(p.watch, k)
		}
	}
	for _, k := range affected {
		if k.pid != child {
			continue
		}
		if k.plan != nil {
			return waiting
		}
		delay, v := s.count(k, now)
		if v != planned {
			return v
		}
		p.due = now.Add(delay)
	}
	for _, k := range affected {
		s.kids[k.pid] = k
		if k.plan != nil {
			if k.plan.due.After(p.due) {
				p.due = k.plan.due
			}
		} else if k.pid != child {
			p.suspend = append(p.suspend, k)
		}
		if a := s.join(k, p); a != nil {
			idle = append(idle, a)
		}
	}
	p.kids = affected
	return planned
}

// begin suspends the siblings and waits for the delay.
func (p *plan) begin() {
	for _, k := range p.suspend {
		k.process.SendSystemMessage(k.pid, &actor.SuspendMailbox{})
	}
	p.look(p.watch)
	p.suspend, p.watch = nil, nil
	wait := time.Until(p.due)
	switch {
	case wait > settle:
		p.after(wait-settle, func() {
			p.look(p.members())
			p.after(settle, p.run)
		})
	case wait <= 0 && p.s.strategy.Strategy == OneForOne:
		p.run()
	default:
		p.after(settle, p.run)
	}
}

// look watches kids. One that stops answers at once, one that has stopped too,
// and leaves.
func (p *plan) look(kids []*kid) {
	for _, k := range kids {
		k.process.SendSystemMessage(k.pid, &actor.Watch{Watcher: p.s.pid})
	}
}

// members returns those that have not left.
func (p *plan) members() []*kid {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	var kids []*kid
	for _, k := range p.kids {
		if p.has(k) {
			kids = append(kids, k)
		}
	}
	return kids
}

func (p *plan) has(k *kid) bool { return k.plan == p && p.s.kids[k.pid] == k }

func (p *plan) after(d time.Duration, f func()) {
	a := p.s.after(d, f)
	p.s.mu.Lock()
	p.alarm = a
	p.s.mu.Unlock()
}

// run restarts those that are left.
func (p *plan) run() {
	s := p.s
	if s.ctx != nil && s.stopping() {
		return
	}
	now := time.Now()
	for _, k := range p.members() {
		// What is sent to the process itself cannot reach a newer one of this name.
		process, ok := s.system.ProcessRegistry.Get(k.pid)
		s.mu.Lock()
		ok = ok && process == k.process && p.has(k)
		if p.has(k) {
			k.plan, k.since = nil, now
			p.left--
		}
		s.mu.Unlock()
		if ok {
			k.process.SendSystemMessage(k.pid, &actor.Restart{})
		}
	}
}
