package tree

import (
	"context"
	"log/slog"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
)

// patience is how often somebody may be passed over before that is no accident: the
// scheduler is fair now and then.
const patience = 10

// One who waits for the lock gets it from a holder that never lets it go otherwise.
func TestLockLetsOthersGoFirst(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
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
	for n := 0; n < patience && !had; n++ {
		l.pass()
	}
	require.True(t, had)
	l.Unlock()
	<-done
	require.Zero(t, l.waiting.Load())
}

// Who reads a supervisor all the time is not in the way of those who wait for
// it, nor of those who only want to run.
func TestSnapshotLetsOthersGoFirst(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, c := range []struct {
		name     string
		children int
		waits    bool // for the lock, and has it before the snapshot is complete
	}{
		{"who waits", many, true},
		{"who waits for a small one", piece - 1, true},
		{"who wants to run", many + 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var spec Spec
			for i := range c.children {
				spec.Children = append(spec.Children, Child{
					Name: strconv.Itoa(i), Service: actor.Func(func(ctx context.Context) error { <-ctx.Done(); return nil }),
				})
			}
			r, err := Runner{Logger: slog.New(slog.DiscardHandler)}.Start(t.Context(), spec)
			require.NoError(t, err)
			s := r.root
			last := s.childOf(s.m.List()[c.children-1])

			var had atomic.Bool
			done := make(chan struct{})
			s.mu.Lock()
			go func() {
				defer close(done)
				if c.waits {
					s.mu.Lock()
					defer s.mu.Unlock()
				}
				had.Store(true)
				last.status.Store(&status{actor.Status{Text: "meanwhile"}, 1})
			}()
			for c.waits && s.mu.waiting.Load() == 0 {
				runtime.Gosched()
			}
			s.mu.Unlock()
			for n := 0; n < patience && !had.Load(); n++ {
				n, err := r.Snapshot(t.Context())
				require.NoError(t, err)
				require.False(t, c.waits && n.Children[c.children-1].Status == "", "it was passed over")
			}
			require.True(t, had.Load())
			<-done
			_, err = r.Stop(context.Background())
			require.NoError(t, err)
		})
	}
}
