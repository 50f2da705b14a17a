package strategies_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/coppice-go/coppice/strategies"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// Both ends of the span are included.
func TestWindowEnds(t *testing.T) {
	w := strategies.NewWindow(strategies.Intensity{Max: 1, Within: 5 * time.Second})
	for _, tc := range []struct {
		at   time.Duration
		used int
		ok   bool
	}{
		{0, 1, true},
		{5 * time.Second, 2, false},
		{10*time.Second + 1, 1, true},
	} {
		used, ok := w.Add(epoch.Add(tc.at))
		assert.Equal(t, tc.used, used, "at %v", tc.at)
		assert.Equal(t, tc.ok, ok, "at %v", tc.at)
	}
	assert.Equal(t, 1, w.Used(epoch.Add(15*time.Second+1)))
	assert.Equal(t, 0, w.Used(epoch.Add(15*time.Second+2)))
}

func TestWindowZeroMax(t *testing.T) {
	w := strategies.NewWindow(strategies.Intensity{Max: 0, Within: time.Second})
	for range 3 {
		used, ok := w.Add(epoch)
		assert.Equal(t, 1, used)
		assert.False(t, ok)
	}
}

func TestWindowZeroValue(t *testing.T) {
	var w strategies.Window
	_, ok := w.Add(epoch)
	assert.True(t, ok)
	_, ok = w.Add(epoch)
	assert.False(t, ok)
	assert.Equal(t, strategies.Intensity{Max: 1, Within: 5 * time.Second}, w.Intensity())
}

func TestWindowUnlimited(t *testing.T) {
	w := strategies.NewWindow(strategies.Intensity{Max: strategies.Unlimited, Within: 1})
	allocs := testing.AllocsPerRun(1000, func() {
		_, ok := w.Add(epoch)
		assert.True(t, ok)
	})
	assert.Zero(t, allocs)
	assert.Equal(t, 1001, w.Used(epoch.Add(time.Hour)), "counted from the beginning")
}

// A large limit costs nothing until it is used.
func TestWindowGrowsLazily(t *testing.T) {
	w := strategies.NewWindow(strategies.Intensity{Max: math.MaxInt, Within: math.MaxInt64})
	for i := range 1000 {
		used, ok := w.Add(epoch.Add(time.Duration(i)))
		assert.Equal(t, i+1, used)
		assert.True(t, ok)
	}
}

func TestWindowExtremeTimes(t *testing.T) {
	w := strategies.NewWindow(strategies.Intensity{Max: 1, Within: time.Second})
	for _, year := range []int{1, 400, 2026, 9999, 200_000} {
		used, ok := w.Add(time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC))
		assert.Equal(t, 1, used, "year %d", year)
		assert.True(t, ok)
	}
}

// All that Add and Used promise, against a slice of all times ever.
func TestWindowModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := strategies.Intensity{
			Max:    rapid.IntRange(0, 9).Draw(t, "max"),
			Within: time.Duration(rapid.IntRange(1, 20).Draw(t, "within")),
		}
		w := strategies.NewWindow(in)
		assert.Zero(t, w.Used(epoch))
		var (
			all  []time.Time
			last = epoch
		)
		within := func() int {
			n := 0
			for _, at := range all {
				if last.Sub(at) <= in.Within {
					n++
				}
			}
			return min(n, in.Max+1)
		}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			now := last.Add(time.Duration(rapid.IntRange(-5, 15).Draw(t, "passes")))
			if now.After(last) { // else the clock stands still
				last = now
			}
			if rapid.Bool().Draw(t, "used") {
				assert.Equal(t, within(), w.Used(now))
				continue
			}
			all = append(all, last)
			used, ok := w.Add(now)
			assert.Equal(t, within(), used)
			assert.Equal(t, within() <= in.Max, ok)
		}
	})
}

func BenchmarkWindowAdd(b *testing.B) {
	for _, bc := range []struct {
		name string
		in   strategies.Intensity
		step time.Duration
	}{
		{"within", strategies.Intensity{Max: 1000, Within: time.Second}, 2 * time.Millisecond},
		{"exceeded", strategies.Intensity{Max: 1000, Within: time.Second}, 1},
		{"unlimited", strategies.Intensity{Max: strategies.Unlimited}, 1},
	} {
		b.Run(bc.name, func(b *testing.B) {
			b.ReportAllocs()
			w, now := strategies.NewWindow(bc.in), epoch
			for b.Loop() {
				now = now.Add(bc.step)
				w.Add(now)
			}
		})
	}
}
