package machine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func (w *world) extend(s *Slot, gen int, d time.Duration) {
	w.step(Input{Kind: Extend, Slot: s, Gen: gen, Delay: d})
}

// The timer of before is void, even one that has fired already.
func TestExtend(t *testing.T) {
	for name, x := range map[string]struct {
		stop bool
		by   time.Duration
		due  time.Duration // from the beginning of the state
	}{
		"start":                 {false, time.Minute, time.Minute},
		"start, less than left": {false, time.Second, 10 * time.Second},
		"stop":                  {true, time.Minute, time.Minute},
		"stop, less than left":  {true, time.Second, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(Config{}, kid{"a", Child{Shutdown: 5 * time.Second, StartTimeout: 10 * time.Second}})
			w.step(Input{Kind: Begin})
			s := w.m.Slot("a")
			if x.stop {
				w.ready("a")
				w.step(Input{Kind: Stop})
			}
			state, begun := s.State, w.now
			w.extend(s, s.Gen+1, time.Hour) // another incarnation's word
			w.extend(s, s.Gen, x.by)
			w.tooLate()
			require.Equal(t, state, s.State)
			require.Len(t, w.timers, 1)
			require.Equal(t, x.due, w.timers[0].at.Sub(begun))
			require.True(t, w.fire())
			require.NotEqual(t, state, s.State)
		})
	}
}

// Who is not waited for, or was killed, gains nothing.
func TestExtendOfNoUse(t *testing.T) {
	w := grown(t, Config{}, kid{"a", Child{Shutdown: 5 * time.Second, Killable: true}})
	s := w.m.Slot("a")
	w.extend(s, s.Gen, time.Hour)
	require.Empty(t, w.timers)
	w.step(Input{Kind: Stop})
	require.True(t, w.fire(), "the grace is over, and it is killed")
	require.Len(t, w.timers, 1)
	due := w.timers[0].at
	w.extend(s, s.Gen, time.Hour)
	require.Equal(t, due, w.timers[0].at)
}
