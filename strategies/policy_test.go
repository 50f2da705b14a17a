package strategies_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/coppice-go/coppice/strategies"
)

func TestPolicyValidate(t *testing.T) {
	for _, tc := range []struct {
		p    strategies.Policy
		want string // "" for none
	}{
		{strategies.Policy{}, ""},
		{strategies.Policy{Delay: 1, MaxRestarts: strategies.Unlimited}, ""},
		{strategies.Policy{Delay: -1}, "Delay: -1ns is negative"},
		{strategies.Policy{Delay: 1, Backoff: strategies.Backoff{Initial: 1}}, "Delay: set together with Backoff"},
		{strategies.Policy{MaxRestarts: -2}, "MaxRestarts: -2 is below -1 (Unlimited)"},
		{strategies.Policy{Exhausted: 7}, "Exhausted: unknown Exhaustion(7)"},
		{strategies.Policy{ResetAfter: -1}, "ResetAfter: -1ns is negative"},
		{strategies.Policy{Backoff: strategies.Backoff{Initial: 1, Factor: 0.5}}, "Backoff.Factor: 0.5 is not 1 or more"},
	} {
		if err := tc.p.Validate(); tc.want == "" {
			assert.NoError(t, err)
		} else {
			assert.EqualError(t, err, tc.want)
		}
	}
}

var doubling = strategies.Backoff{Initial: time.Second, Max: 10 * time.Second, Jitter: strategies.NoJitter}

func TestRetries(t *testing.T) {
	type step struct {
		ran   time.Duration
		delay time.Duration
		ok    bool
		count int
	}
	for _, tc := range []struct {
		name  string
		p     strategies.Policy
		steps []step
	}{
		{"zero", strategies.Policy{}, []step{{0, 0, true, 1}, {0, 0, true, 2}}},
		{"fixed delay", strategies.Policy{Delay: 3}, []step{{0, 3, true, 1}, {time.Hour, 3, true, 2}}},
		{"limit", strategies.Policy{MaxRestarts: 2}, []step{{0, 0, true, 1}, {time.Hour, 0, true, 2}, {time.Hour, 0, false, 2}}},
		{"no limit", strategies.Policy{MaxRestarts: strategies.Unlimited}, []step{{0, 0, true, 1}, {0, 0, true, 2}, {0, 0, true, 3}}},
		{"a run of Max resets the backoff alone", strategies.Policy{Backoff: doubling, MaxRestarts: 4}, []step{
			{0, 1e9, true, 1},
			{10e9 - 1, 2e9, true, 2},
			{10e9, 1e9, true, 3},
			{0, 2e9, true, 4},
			{10e9, 0, false, 4},
		}},
		{"ResetAfter resets both", strategies.Policy{Backoff: doubling, MaxRestarts: 2, ResetAfter: time.Minute}, []step{
			{0, 1e9, true, 1},
			{time.Minute - 1, 2e9, true, 2},
			{time.Minute - 1, 0, false, 2},
			{time.Minute, 1e9, true, 1},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var r strategies.Retries
			for i, s := range tc.steps {
				r.Ran(&tc.p, s.ran)
				assert.Equal(t, !s.ok, r.Exhausted(&tc.p), "step %d", i)
				delay, ok := r.Next(&tc.p, 0)
				assert.Equal(t, s, step{s.ran, delay, ok, r.Count()}, "step %d", i)
			}
			r.Reset()
			assert.Equal(t, strategies.Retries{}, r)
		})
	}
}

// Without a reset exactly MaxRestarts restarts are granted.
func TestRetriesProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := strategies.Policy{MaxRestarts: rapid.IntRange(1, 30).Draw(t, "max"), Backoff: doubling}
		var r strategies.Retries
		granted := 0
		for range 50 {
			r.Ran(&p, time.Duration(rapid.Int64Range(0, int64(20*time.Second)).Draw(t, "ran")))
			delay, ok := r.Next(&p, rapid.Float64Range(0, 0.99).Draw(t, "rnd"))
			assert.LessOrEqual(t, delay, p.Backoff.Max)
			if ok {
				granted++
			}
			assert.Equal(t, granted, r.Count())
		}
		assert.Equal(t, p.MaxRestarts, granted)
	})
}
