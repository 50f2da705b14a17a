package strategies

import (
	"fmt"
	"math"
	"time"
)

// NoJitter as Backoff.Jitter makes delays exact.
const NoJitter = -1

const (
	defaultBackoffMax = time.Minute
	defaultFactor     = 2
	defaultJitter     = 0.2
)

// Backoff is a delay that grows with each failure in a row:
//
//	min(Max, Initial * Factor^(k-1))
//
// after the k-th, shortened at random by up to Jitter of it, so that children
// that failed together do not come back together.
//
// The zero value is no backoff.
type Backoff struct {
	Initial time.Duration // after the first failure; 0: no backoff
	Max     time.Duration // no delay is longer; 0: 1 minute, or Initial if that is longer
	Factor  float64       // at least 1; 0: 2
	Jitter  float64       // from 0 to 1; 0: 0.2; NoJitter: none
}

// IsZero tells whether b is no backoff: Initial is 0.
func (b Backoff) IsZero() bool { return b.Initial == 0 }

// WithDefaults returns the backoff that applies. It is the same for what it
// returns.
func (b Backoff) WithDefaults() Backoff {
	if b.IsZero() {
		return Backoff{}
	}
	if b.Max == 0 {
		b.Max = max(defaultBackoffMax, b.Initial)
	}
	if b.Factor == 0 {
		b.Factor = defaultFactor
	}
	if b.Jitter == 0 {
		b.Jitter = defaultJitter
	}
	return b
}

// Validate returns an error that names the field if a value is out of its range,
// or if Initial is left out though another field is set.
func (b Backoff) Validate() error {
	switch {
	case b.Initial < 0:
		return fmt.Errorf("Initial: %v is negative", b.Initial)
	case b.Max < 0:
		return fmt.Errorf("Max: %v is negative", b.Max)
	case b.Factor != 0 && !(b.Factor >= 1) || math.IsInf(b.Factor, 0):
		return fmt.Errorf("Factor: %v is not 1 or more", b.Factor)
	case b.Jitter != NoJitter && !(b.Jitter >= 0 && b.Jitter <= 1):
		return fmt.Errorf("Jitter: %v is not from 0 to 1, nor -1 (NoJitter)", b.Jitter)
	case b.IsZero() && b != (Backoff{}):
		return fmt.Errorf("Initial: not set, without it the other fields mean nothing")
	}
	return nil
}

// Delay returns the delay after the k-th failure in a row, k counting from 1; a
// smaller k is read as 1. rnd, in [0, 1), is the chance that Jitter needs: 0 does
// not shorten the delay. The result is in [0, Max] whatever k is, and 0 if b is
// no backoff.
func (b Backoff) Delay(k int, rnd float64) time.Duration {
	b = b.WithDefaults()
	if b.Initial <= 0 {
		return 0
	}
	d := max(b.Max, 0)
	// The comparison fails for what a Duration cannot hold, infinity and NaN too.
	if f := float64(b.Initial) * math.Pow(b.Factor, float64(max(k, 1)-1)); f < float64(d) {
		d = time.Duration(max(f, 0))
	}
	if b.Jitter > 0 && rnd > 0 {
		if cut := float64(d) * b.Jitter * rnd; cut < float64(d) {
			d -= time.Duration(cut)
		} else {
			d = 0
		}
	}
	return d
}
