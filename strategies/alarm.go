package strategies

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// alarm calls a function later, in the goroutine of the supervisor and behind all
// failures that it has been told of; under a guardian, which has no goroutine, in
// one of its own.
type alarm struct {
	timer  *time.Timer
	system *actor.ActorSystem
	future *actor.PID // nil under a guardian
}

// after sets an alarm. It is called in the goroutine of the supervisor. The
// alarms of a supervisor are stopped when it is gone.
func (s *supervised) after(d time.Duration, f func()) *alarm {
	a := &alarm{system: s.system}
	ring := func() {
		if s.off(a) {
			f()
		}
	}
	expire := ring
	if s.ctx != nil {
		future := actor.NewFuture(s.system, -1)
		a.future = future.PID()
		s.ctx.ReenterAfter(future, func(any, error) { ring() })
		expire = func() {
			if process, ok := s.system.ProcessRegistry.Get(a.future); ok {
				process.SendUserMessage(a.future, struct{}{})
			}
		}
	}
	s.mu.Lock()
	gone := s.gone
	if !gone {
		s.alarms[a] = struct{}{}
		a.timer = time.AfterFunc(d, expire)
	}
	s.mu.Unlock()
	if gone {
		a.stop()
	}
	return a
}

// off takes a from the alarms and tells whether it was among them.
func (s *supervised) off(a *alarm) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.alarms[a]
	delete(s.alarms, a)
	return ok
}

// stop is idempotent; a nil alarm has stopped.
func (a *alarm) stop() {
	if a == nil {
		return
	}
	if a.timer != nil {
		a.timer.Stop()
	}
	if a.future != nil {
		a.system.ProcessRegistry.Remove(a.future)
	}
}

func stop(alarms map[*alarm]struct{}) {
	for a := range alarms {
		a.stop()
	}
}
