package proc

import (
	"sync"
	"time"
)

// limits are the times that run for a process, and of which it may ask for more.
type limits struct {
	mu      sync.Mutex
	running map[*time.Timer]time.Time // when each would end
	until   time.Time                 // what it has asked for last
}

// begin is for a timer that was set to d. end is called when nobody waits for it
// any more.
func (l *limits) begin(timer *time.Timer, d time.Duration) (end func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running == nil {
		l.running = make(map[*time.Timer]time.Time)
	}
	l.running[timer] = time.Now().Add(d)
	if more := time.Until(l.until); more > d { // it has asked sooner than this was set
		timer.Reset(more)
	}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.running, timer)
		timer.Stop()
	}
}

// forget is for when something new begins, for which nothing was asked yet.
func (l *limits) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.until = time.Time{}
}

// extend has each end d from now, but not before its time. The last word counts.
func (l *limits) extend(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.until = time.Now().Add(d)
	for timer, end := range l.running {
		timer.Reset(max(d, time.Until(end)))
	}
}
