package rotate

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Intervals are counted from midnight, also those that do not divide a day.
func TestIntervalFromMidnight(t *testing.T) {
	zone := time.FixedZone("", int(-(3*time.Hour+30*time.Minute)/time.Second))
	for _, length := range []time.Duration{time.Minute, 7 * time.Hour, 11*time.Hour + time.Second, day, 3 * day} {
		s := &shared{File: File{Interval: length}}
		begins := 0
		for d := range 30 {
			midnight := time.Date(2026, 2, 10+d, 0, 0, 0, 0, zone)
			n := s.interval(midnight)
			require.Equal(t, n, s.interval(midnight.Add(min(length, day)-time.Second)))
			if length < day {
				require.Greater(t, s.interval(midnight.Add(length)), n)
			}
			if n > s.interval(midnight.Add(-time.Second)) {
				begins++
			}
		}
		require.EqualValues(t, 30*day/max(length, day), begins, length)
	}
}
