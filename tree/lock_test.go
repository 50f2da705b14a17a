package tree

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// One who waits for the lock gets it from a holder that never lets it go otherwise.
func TestLockLetsOthersGoFirst(t *testing.T) {
	for _, give := range []func(*lock){(*lock).pass, (*lock).yield} {
		var l lock
		l.Lock()
		give(&l)
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
			give(&l)
		}
		l.Unlock()
		<-done
		require.Zero(t, l.waiting.Load())
	}
}
