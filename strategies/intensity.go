package strategies

import (
	"fmt"
	"time"
)

// Unlimited is no limit, for Intensity.Max and Policy.MaxRestarts.
const Unlimited = -1

const (
	defaultMax    = 1
	defaultWithin = 5 * time.Second
)

// Intensity is how many restarts a supervisor bears: it gives up as soon as more
// than Max fall within a span of time as long as Within, both ends included.
//
// The zero value is OTP's default: 1 restart within 5 seconds. If only Max is
// set, Within is 5 seconds. If Within is set, Max is taken as it stands:
// Intensity{Max: 0, Within: d} allows no restart, the first failure ends the
// supervisor. With Max: Unlimited none does.
type Intensity struct {
	Max    int
	Within time.Duration
}

// WithDefaults returns the intensity that applies. It is the same for what it
// returns.
func (i Intensity) WithDefaults() Intensity {
	if i.Within == 0 {
		i.Within = defaultWithin
		if i.Max == 0 {
			i.Max = defaultMax
		}
	}
	return i
}

// Validate returns an error that names the field if Max is below Unlimited or
// Within is negative.
func (i Intensity) Validate() error {
	if i.Max < Unlimited {
		return fmt.Errorf("Max: %d is below -1 (Unlimited)", i.Max)
	}
	if i.Within < 0 {
		return fmt.Errorf("Within: %v is negative", i.Within)
	}
	return nil
}

// String is what applies, as in "3 in 5s" or "unlimited".
func (i Intensity) String() string {
	i = i.WithDefaults()
	if i.Max < 0 {
		return "unlimited"
	}
	return fmt.Sprintf("%d in %v", i.Max, i.Within)
}
