package machine

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
)

// An end that goes ahead is served before those that do not, in the order of those
// that do, and before nothing else.
func TestAhead(t *testing.T) {
	w := grown(t, Config{Intensity: strategies.Intensity{Max: strategies.Unlimited}},
		permanent("a"), permanent("b"), permanent("c"), permanent("d"), permanent("e"))
	ends := func(name string, ahead bool) {
		s := w.m.Slot(name)
		w.take(s, s.Gen)
		w.step(Input{Kind: Exited, Slot: s, Gen: s.Gen, End: actor.Classify(errBoom, false, true), Ahead: ahead})
	}
	ends("a", false) // and is not ready again yet
	ends("b", false)
	ends("c", true)
	ends("d", false)
	ends("e", true)
	for _, name := range []string{"a", "c", "e", "b", "d"} {
		require.Equal(t, Starting, w.m.Slot(name).State, name)
		w.ready(name)
	}
	ends("a", false)
	ends("b", false)
	w.ask(&Request{Op: TerminateChild, Name: "e"})
	ends("c", true)
	w.ready("a")
	w.ready("b")
	require.Equal(t, Stopping, w.m.Slot("e").State)
	ends("d", true)
	w.cooperate()
	require.Empty(t, w.wrong)
}

// A stop forgets what was to go ahead.
func TestAheadOfAStop(t *testing.T) {
	w := grown(t, Config{}, permanent("a"), permanent("b"))
	for _, name := range []string{"a", "b"} {
		s := w.m.Slot(name)
		w.take(s, s.Gen)
		w.step(Input{Kind: Exited, Slot: s, Gen: s.Gen, End: actor.Classify(errBoom, false, true), Ahead: true})
	}
	w.step(Input{Kind: Stop})
	w.cooperate()
	require.NotNil(t, w.ended)
	require.Empty(t, w.m.(*Machine).ahead.items)
	require.Empty(t, w.wrong)
}

// What waits is not held up for ever.
func TestAheadNotForEver(t *testing.T) {
	w := grown(t, Config{Intensity: strategies.Intensity{Max: strategies.Unlimited}}, permanent("a"), permanent("b"), permanent("c"))
	crash := func(name string, ahead bool) {
		s := w.m.Slot(name)
		w.take(s, s.Gen)
		w.step(Input{Kind: Exited, Slot: s, Gen: s.Gen, End: actor.Classify(errBoom, false, true), Ahead: ahead})
	}
	crash("a", true)
	crash("c", false)
	turns := 0
	for name, other := "a", "b"; w.m.Slot("c").State == Ended; name, other = other, name {
		turns++
		require.LessOrEqual(t, turns, maxAhead+1)
		crash(other, true)
		w.ready(name)
	}
	require.Greater(t, turns, 1)
	w.ready("c")
	w.cooperate()
	require.Empty(t, w.wrong)
}
