package tree

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// One who waits for the lock gets it from a holder that never lets it go otherwise.
func TestLockLetsOthersGoFirst(t *testing.T) {
	var l lock
	l.Lock()
	l.pass()
	had, done := false, make(chan struct{})
	go func() {
		defer close(done)
		l.Lock()
		had = true
		l.Unlock()
	}()
	for l.waiting.Load() == 0 {
		runtime.Gosched()
	}
	for !had {
		l.pass()
	}
	l.Unlock()
	<-done
	require.Zero(t, l.waiting.Load())
}
