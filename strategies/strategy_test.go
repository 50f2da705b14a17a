package strategies_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/coppice-go/coppice/strategies"
)

func TestAffected(t *testing.T) {
	for _, tc := range []struct {
		s            strategies.Strategy
		i, n, lo, hi int
	}{
		{strategies.OneForOne, 2, 5, 2, 3},
		{strategies.OneForAll, 2, 5, 0, 5},
		{strategies.RestForOne, 2, 5, 2, 5},
		{strategies.RestForOne, 0, 5, 0, 5},
		{strategies.RestForOne, 4, 5, 4, 5},
		{strategies.OneForAll, 0, 1, 0, 1},
		{strategies.OneForAll, 0, 0, 0, 0},
		{strategies.OneForAll, -1, 5, 0, 0},
		{strategies.RestForOne, 5, 5, 0, 0},
		{strategies.Strategy(9), 2, 5, 2, 3},
	} {
		lo, hi := tc.s.Affected(tc.i, tc.n)
		assert.Equal(t, [2]int{tc.lo, tc.hi}, [2]int{lo, hi}, "%v.Affected(%d, %d)", tc.s, tc.i, tc.n)
	}
}

// The definition, child by child.
func TestAffectedProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := strategies.Strategy(rapid.IntRange(0, 2).Draw(t, "strategy"))
		n := rapid.IntRange(1, 20).Draw(t, "n")
		i := rapid.IntRange(0, n-1).Draw(t, "i")
		lo, hi := s.Affected(i, n)
		for k := range n {
			want := k == i || s == strategies.OneForAll || s == strategies.RestForOne && k > i
			assert.Equal(t, want, lo <= k && k < hi, "child %d", k)
		}
	})
}

func TestRestarts(t *testing.T) {
	for _, tc := range []struct {
		r                strategies.Restart
		normal, abnormal bool
	}{
		{strategies.Permanent, true, true},
		{strategies.Transient, false, true},
		{strategies.Temporary, false, false},
		{strategies.Restart(9), false, false},
	} {
		assert.Equal(t, tc.normal, tc.r.Restarts(false), "%v, normal", tc.r)
		assert.Equal(t, tc.abnormal, tc.r.Restarts(true), "%v, abnormal", tc.r)
	}
}
