package tree

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// lock is a mutex whose holder can let those who wait for it go first.
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

// pass lets those who wait go first, and tells whether anybody did. A mutex alone
// would mostly be taken back before anyone has woken up.
func (l *lock) pass() bool {
	if l.waiting.Load() == 0 {
		return false
	}
	l.Unlock()
	runtime.Gosched()
	l.Lock()
	return true
}
