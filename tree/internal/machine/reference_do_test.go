package machine

import (
	"slices"
	"time"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
)

// start starts a child and waits for it. It returns why that failed, or nil.
func (r *reference) start(s *Slot) (failed *actor.End) {
	r.enter(s, Starting)
	s.Gen++
	s.isReady = false
	r.emit(Event{Kind: ChildStarting, Slot: s, Gen: s.Gen})
	r.put(Effect{Kind: DoStart, Slot: s, Gen: s.Gen})
	if t := s.Spec.StartTimeout; t > 0 && t != Infinity {
		r.arm(s, t)
	}
	r.cur = s
	in := r.next()
	r.cur = nil
	switch {
	case in.Kind == Ready:
		r.enter(s, Running)
		s.Started, s.isReady = r.now, true
		r.emit(Event{Kind: ChildStarted, Slot: s, Gen: s.Gen})
		return nil
	case in.Kind == TimerFired:
		r.late, r.lateErr = s, actor.ErrStartTimeout
		r.stopping(s, actor.ErrUnhealthy, r.grace(s))
		r.late = nil
		in.End = actor.End{Class: actor.ClassStartFailed, Err: r.lateErr}
	}
	r.enter(s, Down)
	if in.End.Class == actor.ClassIgnore {
		r.emit(Event{Kind: ChildIgnored, Slot: s, Gen: s.Gen})
		r.keep(s)
		return nil
	}
	s.Last, s.HasEnded = in.End, true
	r.emit(Event{Kind: StartFailed, Slot: s, Gen: s.Gen, End: in.End})
	return &in.End
}

func (r *reference) grace(s *Slot) time.Duration { return s.Spec.Shutdown }

// stopping asks a child to stop and waits for its end, or gives it up.
func (r *reference) stopping(s *Slot, why error, grace time.Duration) (err error) {
	r.ask(s, why)
	if s.State != Stopping {
		return nil
	}
	if grace != Infinity && grace != Brutal {
		r.arm(s, grace)
	}
	return r.awaitEnd(s)
}

// ask asks a child to stop. One that is not given any time, and cannot be killed,
// is left alone at once.
func (r *reference) ask(s *Slot, why error) {
	r.enter(s, Stopping)
	s.killed = false
	r.put(Effect{Kind: DoStop, Slot: s, Gen: s.Gen, Cause: &Cause{Reason: why}})
	if s.Spec.Shutdown != Brutal {
		return
	}
	if s.Spec.Killable {
		r.kill(s)
		return
	}
	r.put(Effect{Kind: DoKill, Slot: s, Gen: s.Gen})
	r.put(Effect{Kind: DoAbandon, Slot: s, Gen: s.Gen})
	r.note(s, actor.End{Class: actor.ClassAbnormal, Err: actor.ErrKilled})
	s.State = Ended
}

func (r *reference) kill(s *Slot) {
	s.killed = true
	r.put(Effect{Kind: DoKill, Slot: s, Gen: s.Gen})
	if !s.Spec.Supervisor && r.common == 0 {
		r.arm(s, KillWait)
	}
}

// awaitEnd waits for the end of a child that was asked to stop.
func (r *reference) awaitEnd(s *Slot) error {
	r.cur = s
	for {
		switch in := r.next(); {
		case in.Kind == Exited:
			r.cur = nil
			r.note(s, in.End)
			return nil
		case s.Spec.Killable && !s.killed:
			r.kill(s)
		default:
			r.cur = nil
			return r.giveUp(s)
		}
	}
}

func (r *reference) giveUp(s *Slot) error {
	s.Last, s.HasEnded = actor.End{Class: actor.ClassAbnormal, Err: actor.ErrStuck}, true
	r.emit(Event{Kind: ChildStuck, Slot: s, Gen: s.Gen, End: s.Last, Ran: r.now.Sub(s.Since)})
	r.put(Effect{Kind: DoAbandon, Slot: s, Gen: s.Gen})
	r.lost = append(r.lost, lost{s, s.Gen})
	s.Stuck = s.Gen
	return actor.ErrStuck
}

// stop is stopping with what follows if nothing else is to.
func (r *reference) stop(s *Slot, why error, grace time.Duration) (err error) {
	err = r.stopping(s, why, grace)
	r.enter(s, Down)
	return err
}

// settled tells of a child that failed while it was being stopped, and forgets it
// if it is not kept.
func (r *reference) settled(s *Slot, err error) {
	if err == nil && s.Last.Class == actor.ClassAbnormal {
		r.emit(Event{Kind: NotRestarted, Slot: s, Gen: s.Gen, End: s.Last, Rule: ByStop})
	}
}

// down sees to it that a child has no incarnation, whatever state it is in.
func (r *reference) down(s *Slot, why error) (err error) {
	switch s.State {
	case Down:
		return nil
	case Waiting:
		r.enter(s, Down)
		if r.cfg.Dynamic {
			r.forget(s)
		}
		return nil
	case Ended:
		r.enter(s, Down)
	default:
		err = r.stop(s, why, r.grace(s))
	}
	r.settled(s, err)
	return err
}

// ended decides what follows when a child has ended by itself.
func (r *reference) ended(s *Slot) {
	r.enter(s, Down)
	s.retries.Ran(&s.Spec.Policy, s.ran)
	end := s.Last
	abnormal := end.Class == actor.ClassAbnormal
	switch {
	case end.Class == actor.ClassIgnore:
		r.keep(s)
	case end.Escalate:
		r.giveIn(s, ByEscalation, 0)
	case s.Spec.Restart == strategies.Permanent, s.Spec.Restart == strategies.Transient && abnormal:
		if delay, ok := r.delay(s, end); ok {
			r.counts(s, end, delay)
			r.restart(s, delay)
		}
	default:
		r.emit(Event{Kind: NotRestarted, Slot: s, Gen: s.Gen, End: end, Rule: ByRestartType})
		r.keep(s)
		r.autoShutdown(s, end)
	}
}

// delay is what the child's own policy says. If that is no more, the child stays
// down.
func (r *reference) delay(s *Slot, end actor.End) (time.Duration, bool) {
	delay, ok := s.retries.Next(&s.Spec.Policy, (&Machine{cfg: r.cfg}).random(s))
	if ok {
		return max(delay, end.RetryAfter), true
	}
	if s.Spec.Policy.Exhausted == strategies.EndSupervisor {
		r.giveIn(s, ByMaxRestarts, s.retries.Count())
	}
	r.enter(s, Down)
	r.emit(Event{Kind: GaveUp, Slot: s, Gen: s.Gen, End: s.Last, Rule: ByMaxRestarts, Used: s.retries.Count()})
	if r.cfg.Dynamic {
		r.forget(s)
	}
	return 0, false
}

// used counts the restarts of the window that ends now.
func (r *reference) used() int {
	limit := r.cfg.Intensity.WithDefaults()
	if limit.Max < 0 {
		return r.count
	}
	n := 0
	for _, t := range r.times {
		if r.now.Sub(t) <= limit.Within {
			n++
		}
	}
	return min(n, limit.Max+1)
}

// counts counts a restart. If it is one too many the supervisor ends.
func (r *reference) counts(s *Slot, end actor.End, delay time.Duration) {
	r.count++
	r.times = append(r.times, r.now)
	limit := r.cfg.Intensity.WithDefaults()
	if used := r.used(); limit.Max >= 0 && used > limit.Max {
		r.giveIn(s, ByIntensity, used)
	}
	r.emit(Event{Kind: RestartPlanned, Slot: s, Gen: s.Gen, End: end, Delay: delay, Used: r.used(), Rule: ByIntensity})
}

// giveIn ends the supervisor because of s.
func (r *reference) giveIn(s *Slot, rule Rule, used int) {
	if rule == ByEscalation {
		used = r.used()
	}
	r.enter(s, Down)
	r.emit(Event{Kind: GaveUp, Slot: s, Gen: s.Gen, End: s.Last, Rule: rule, Used: used})
	r.keep(s)
	panic(ending{out: Outcome{Rule: rule, Child: s.Name, Err: s.Last.Err, Used: used, Abnormal: rule == ByEscalation}})
}

// affected are the children that go with s, in start order.
func (r *reference) affected(s *Slot) []*Slot {
	i := slices.Index(r.kids, s)
	switch {
	case r.cfg.Dynamic, r.cfg.Strategy == strategies.OneForOne:
		return []*Slot{s}
	case r.cfg.Strategy == strategies.OneForAll:
		return slices.Clone(r.kids)
	}
	return slices.Clone(r.kids[i:])
}

// restart stops what goes with s, waits, and starts all of it. If one does not
// start, those after it are left down and it is tried again later.
func (r *reference) restart(s *Slot, delay time.Duration) {
	group := r.affected(s)
	r.enter(s, Waiting)
	for _, k := range slices.Backward(group) {
		if k != s {
			r.downAndForget(k, actor.ErrSiblingFailed)
		}
	}
	if delay > 0 {
		r.arm(s, delay)
		return
	}
	r.enter(s, Down)
	for _, k := range group {
		if !slices.Contains(r.kids, k) {
			continue
		}
		failed := r.start(k)
		if failed == nil {
			if k.State == Running {
				k.Restarts++
			}
			continue
		}
		if failed.Escalate {
			r.giveIn(k, ByEscalation, 0)
		}
		delay, ok := r.delay(k, *failed)
		if !ok {
			continue // it stays down, the rest lives
		}
		r.enter(k, Waiting)
		if delay > 0 {
			r.counts(k, *failed, delay)
			r.arm(k, delay)
		} else {
			r.queue = append(r.queue, item{kind: itemRetry, slot: k, token: k.token})
		}
		return
	}
}

// downAndForget is down, and the end of a child that is not kept.
func (r *reference) downAndForget(s *Slot, why error) error {
	ran := s.State != Down && s.State != Waiting
	err := r.down(s, why)
	if ran {
		r.keep(s)
	}
	return err
}

func (r *reference) autoShutdown(s *Slot, end actor.End) {
	if !s.Spec.Significant || r.cfg.AutoShutdown == Never {
		return
	}
	if r.cfg.AutoShutdown == AllSignificant && slices.ContainsFunc(r.kids, func(k *Slot) bool {
		return k != s && k.Spec.Significant && k.State != Down
	}) {
		return
	}
	out := Outcome{Rule: BySignificance, Child: s.Name}
	if end.Class == actor.ClassAbnormal {
		out.Err = end.Err
	}
	panic(ending{out: out})
}
