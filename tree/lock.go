package tree

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// lock is a mutex whose holders can let those who wait for it go first. A mutex alone
// would mostly be taken back before anyone has woken up.
type lock struct {
	sync.Mutex
	waiting atomic.Int32
}

func (l *lock) Lock() {
	if !l.TryLock() {
		l.wait()
	}
}

func (l *lock) wait() {
	l.waiting.Add(1)
	l.Mutex.Lock()
	l.waiting.Add(-1)
}

// Leave unlocks for one who may be back at once: those who wait run first.
func (l *lock) Leave() {
	wanted := l.waiting.Load() > 0
	l.Unlock()
	if wanted {
		runtime.Gosched()
	}
}

// pass lets those who wait go first, and tells whether anybody did.
func (l *lock) pass() bool {
	if l.waiting.Load() == 0 {
		return false
	}
	l.Leave()
	l.Lock()
	return true
}
