package machine

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Children are found by name, in whatever order their names come and whichever are
// removed, or added again, as in a map.
func TestSlotsAreFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-c1]{1,3}`), 0, 30, rapid.ID[string]).Draw(t, "names")
		if rapid.Bool().Draw(t, "in order") {
			slices.SortFunc(names, compareNames)
		}
		static := rapid.IntRange(0, len(names)).Draw(t, "static")
		var l slots
		l.reserve(static)
		want := map[string]*Slot{}
		add := func(s *Slot) {
			s.Spec = &Child{}
			l.add(s)
			want[s.Name] = s
		}
		for _, name := range names[:static] {
			add(l.static(name))
		}
		for i := range rapid.IntRange(0, 60).Draw(t, "changes") {
			if len(names) == 0 {
				break
			}
			name := rapid.SampledFrom(names).Draw(t, "name")
			if s := want[name]; s != nil {
				l.remove(s)
				delete(want, name)
				if i%4 == 0 {
					l.compact()
				}
			} else {
				add(&Slot{Name: name})
			}
			for _, name := range append(names, "", "d", "aaaa") {
				require.Same(t, want[name], l.find(name), "%q", name)
			}
			require.Equal(t, len(want), l.n)
		}
	})
}

func TestBefore(t *testing.T) {
	require.True(t, Before("w9", "w10"))
	require.True(t, Before("w10", "w11"))
	require.False(t, Before("w10", "w9"))
	require.False(t, Before("a", "a"))
	require.True(t, Before("z", "aa"))
}
