package machine

import (
	"slices"
	"time"

	"github.com/coppice-go/coppice/actor"
)

// serve carries out a request whose turn has come.
func (r *reference) serve(q *Request) error {
	s := r.Slot(q.Name)
	switch {
	case q.Op == WhichChildren:
		return nil
	case q.Op == StartInstance && !r.cfg.Dynamic:
		return ErrNotDynamic
	case q.Op == StartChild && r.cfg.Dynamic:
		return ErrDynamic
	case q.Op == StartInstance && s == nil && r.cfg.MaxChildren > 0 && len(r.kids) >= r.cfg.MaxChildren:
		return ErrMaxChildren
	case q.Op == StartChild || q.Op == StartInstance:
		if s != nil && q.Op == StartChild && (s.State == Down || s.State == Waiting) {
			return ErrAlreadyPresent
		}
		if s != nil {
			return ErrAlreadyStarted
		}
		s = r.Add(q.Name, q.Child, q.Data)
		return r.startOrForget(s, true)
	case s == nil:
		return ErrNotFound
	case q.Op == TerminateChild:
		return r.downAndForget(s, actor.ErrRemoved)
	case q.Op == ReplaceChild:
		s.retries.Reset()
		s.Restarts = 0
		if s.State == Waiting && r.cfg.Dynamic { // as terminated, but kept
			r.enter(s, Down)
		}
		_ = r.down(s, actor.ErrReplaced) // if it is stuck, the start will say so
		return r.startOrForget(s, r.cfg.Dynamic)
	case r.cfg.Dynamic:
		return ErrDynamic
	case s.State == Waiting:
		return ErrRestarting
	case s.State != Down:
		return ErrRunning
	case q.Op == RestartChild:
		s.retries.Reset()
		s.Restarts = 0
		return r.startOrForget(s, false)
	}
	r.forget(s)
	return nil
}

func (r *reference) startOrForget(s *Slot, forget bool) error {
	failed := r.start(s)
	if failed == nil {
		return nil
	}
	if forget {
		r.forget(s)
	}
	return failed.Err
}

// stopAll is the end. A kill may come in the middle of it.
func (r *reference) stopAll(end *ending) {
	defer func() {
		switch e := recover().(type) {
		case nil:
		case ending:
			r.together(true)
		default:
			panic(e)
		}
	}()
	if end.kill || r.cfg.Dynamic {
		r.together(end.kill)
		return
	}
	if s := r.cur; s != nil {
		r.bound(s)
	}
	for _, s := range slices.Backward(slices.Clone(r.kids)) {
		r.downAndForget(s, actor.ErrStopping)
	}
}

// bound ends what was being waited for when the end began.
func (r *reference) bound(s *Slot) {
	if s.State == Stopping {
		err := r.awaitEnd(s)
		r.enter(s, Down)
		r.settled(s, err)
		r.keep(s)
		return
	}
	r.downAndForget(s, actor.ErrStopping)
}

// together stops all children at once, under one timer.
func (r *reference) together(kill bool) {
	r.cur = nil
	r.token++
	r.common = r.token
	var grace time.Duration
	for _, s := range slices.Clone(r.kids) {
		grace = s.Spec.Shutdown
		r.disarm(s)
		switch s.State {
		case Starting, Running:
			r.ask(s, actor.ErrStopping)
			if s.State != Stopping {
				r.left(s, nil)
			}
		case Stopping:
		default:
			r.downAndForget(s, actor.ErrStopping)
		}
		if kill && s.State == Stopping && !s.killed {
			r.kill(s)
		}
	}
	switch {
	case kill:
		grace = ForceWait
	case grace == Brutal:
		grace = KillWait
	}
	if r.anyStopping() && grace != Infinity {
		r.armCommon(grace)
	}
	r.cur = &Slot{}
	for r.anyStopping() {
		if in := r.next(); in.Kind == Exited {
			r.note(in.Slot, in.End)
			r.left(in.Slot, nil)
		} else if in.Slot == nil && in.Kind == TimerFired {
			r.commonFired()
		}
	}
}

// left is the end of one of those that are stopped together.
func (r *reference) left(s *Slot, err error) {
	r.enter(s, Down)
	r.settled(s, err)
	r.keep(s)
}

func (r *reference) armCommon(d time.Duration) {
	r.token++
	r.common = r.token
	r.put(Effect{Kind: SetTimer, Delay: d, Token: r.token})
}

func (r *reference) anyStopping() bool {
	return slices.ContainsFunc(r.kids, func(s *Slot) bool { return s.State == Stopping })
}

func (r *reference) commonFired() {
	again := false
	for _, s := range slices.Clone(r.kids) {
		switch {
		case s.State != Stopping || s.killed && s.Spec.Supervisor:
		case s.Spec.Killable && !s.killed:
			r.kill(s)
			again = true
		default:
			r.left(s, r.giveUp(s))
		}
	}
	if again {
		r.armCommon(KillWait)
	}
}
