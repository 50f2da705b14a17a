package strategies_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/coppice-go/coppice/strategies"
)

func TestBackoffSchedule(t *testing.T) {
	exact := func(initial, limit time.Duration, factor float64) strategies.Backoff {
		return strategies.Backoff{Initial: initial, Max: limit, Factor: factor, Jitter: strategies.NoJitter}
	}
	for _, tc := range []struct {
		name string
		b    strategies.Backoff
		want []time.Duration
	}{
		{"none", strategies.Backoff{}, []time.Duration{0, 0, 0}},
		{"doubling", exact(time.Second, 5*time.Second, 0), []time.Duration{1e9, 2e9, 4e9, 5e9, 5e9}},
		{"default cap", exact(20*time.Second, 0, 2), []time.Duration{20e9, 40e9, 60e9, 60e9}},
		{"initial above the default cap", exact(time.Hour, 0, 2), []time.Duration{time.Hour, time.Hour}},
		{"constant", exact(time.Second, 0, 1), []time.Duration{1e9, 1e9, 1e9}},
		{"initial above the cap", exact(time.Minute, time.Second, 2), []time.Duration{1e9, 1e9}},
		{"largest", exact(math.MaxInt64, 0, 1e300), []time.Duration{math.MaxInt64, math.MaxInt64}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			assert.NoError(t, tc.b.Validate())
			for i, want := range tc.want {
				assert.Equal(t, want, tc.b.Delay(i+1, 0.999), "failure %d", i+1)
			}
			assert.Equal(t, tc.want[0], tc.b.Delay(0, 0))
			assert.Equal(t, tc.want[0], tc.b.Delay(math.MinInt, 0))
		})
	}
}

func TestBackoffJitter(t *testing.T) {
	b := strategies.Backoff{Initial: 10 * time.Second}
	assert.Equal(t, 10*time.Second, b.Delay(1, 0))
	assert.Equal(t, 9*time.Second, b.Delay(1, 0.5), "default jitter 0.2")
	b.Jitter = 1
	assert.Equal(t, 5*time.Second, b.Delay(1, 0.5))
}

func TestBackoffDefaults(t *testing.T) {
	assert.True(t, strategies.Backoff{}.IsZero())
	assert.Equal(t, strategies.Backoff{}, strategies.Backoff{}.WithDefaults())
	b := strategies.Backoff{Initial: time.Second}
	assert.False(t, b.IsZero())
	assert.Equal(t, strategies.Backoff{Initial: time.Second, Max: time.Minute, Factor: 2, Jitter: 0.2}, b.WithDefaults())
	assert.Equal(t, b.WithDefaults(), b.WithDefaults().WithDefaults())
}

func TestBackoffValidate(t *testing.T) {
	for _, tc := range []struct {
		b    strategies.Backoff
		want string
	}{
		{strategies.Backoff{Initial: -1}, "Initial: -1ns is negative"},
		{strategies.Backoff{Initial: 1, Max: -1}, "Max: -1ns is negative"},
		{strategies.Backoff{Initial: 1, Factor: 0.5}, "Factor: 0.5 is not 1 or more"},
		{strategies.Backoff{Initial: 1, Factor: -2}, "Factor: -2 is not 1 or more"},
		{strategies.Backoff{Initial: 1, Factor: math.NaN()}, "Factor: NaN is not 1 or more"},
		{strategies.Backoff{Initial: 1, Factor: math.Inf(1)}, "Factor: +Inf is not 1 or more"},
		{strategies.Backoff{Initial: 1, Jitter: 1.5}, "Jitter: 1.5 is not from 0 to 1, nor -1 (NoJitter)"},
		{strategies.Backoff{Initial: 1, Jitter: -0.5}, "Jitter: -0.5 is not from 0 to 1, nor -1 (NoJitter)"},
		{strategies.Backoff{Initial: 1, Jitter: math.NaN()}, "Jitter: NaN is not from 0 to 1, nor -1 (NoJitter)"},
		{strategies.Backoff{Max: time.Second}, "Initial: not set, without it the other fields mean nothing"},
	} {
		assert.EqualError(t, tc.b.Validate(), tc.want)
	}
}

// Whatever the values, valid or not, a delay is in [0, Max].
func TestBackoffBounds(t *testing.T) {
	anyFloat := rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{0, 1, -1, math.NaN(), math.Inf(1), math.Inf(-1)}))
	anyDuration := rapid.Custom(func(t *rapid.T) time.Duration { return time.Duration(rapid.Int64().Draw(t, "ns")) })
	rapid.Check(t, func(t *rapid.T) {
		b := strategies.Backoff{
			Initial: anyDuration.Draw(t, "initial"),
			Max:     anyDuration.Draw(t, "max"),
			Factor:  anyFloat.Draw(t, "factor"),
			Jitter:  anyFloat.Draw(t, "jitter"),
		}
		d := b.Delay(rapid.Int().Draw(t, "k"), anyFloat.Draw(t, "rnd"))
		assert.GreaterOrEqual(t, d, time.Duration(0))
		assert.LessOrEqual(t, d, max(0, b.WithDefaults().Max))
	})
}

// A valid backoff without jitter never shrinks; jitter shortens it by its share at
// most.
func TestBackoffMonotonic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := strategies.Backoff{
			Initial: time.Duration(rapid.Int64Range(1, int64(time.Hour)).Draw(t, "initial")),
			Max:     time.Duration(rapid.Int64Range(0, int64(24*time.Hour)).Draw(t, "max")),
			Factor:  rapid.Float64Range(1, 1e6).Draw(t, "factor"),
			Jitter:  rapid.Float64Range(0.001, 1).Draw(t, "jitter"),
		}
		assert.NoError(t, b.Validate())
		k := rapid.IntRange(1, 10_000).Draw(t, "k")
		full := b.Delay(k, 0)
		assert.LessOrEqual(t, full, b.Delay(k+1, 0))
		d := b.Delay(k, rapid.Float64Range(0, 0.999999).Draw(t, "rnd"))
		assert.LessOrEqual(t, d, full)
		assert.GreaterOrEqual(t, float64(d), float64(full)*(1-b.Jitter)-1)
	})
}
