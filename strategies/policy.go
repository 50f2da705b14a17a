package strategies

import (
	"errors"
	"fmt"
	"time"
)

// Exhaustion is what follows when a child has used up its Policy.MaxRestarts. The
// zero value is EndSupervisor.
type Exhaustion uint8

const (
	// EndSupervisor: its supervisor ends, as if its Intensity were exceeded.
	EndSupervisor Exhaustion = iota
	// StayDown: the child is not started again, its supervisor and siblings live.
	StayDown
)

var exhaustionNames = []string{"end-supervisor", "stay-down"}

// Valid tells whether e is one of the constants.
func (e Exhaustion) Valid() bool { return valid(e, exhaustionNames) }

// String is "end-supervisor" or "stay-down".
func (e Exhaustion) String() string { return text(e, exhaustionNames, "Exhaustion") }

// MarshalText writes e as String does. An unknown value is an error.
func (e Exhaustion) MarshalText() ([]byte, error) { return marshal(e, exhaustionNames, "Exhaustion") }

// UnmarshalText reads what MarshalText writes. Other text is an error and leaves
// e as it was.
func (e *Exhaustion) UnmarshalText(b []byte) error {
	return unmarshal(e, b, exhaustionNames, "Exhaustion")
}

// Policy is how soon and how often one child is restarted. The zero value
// restarts it at once, as often as the supervisor's Intensity allows.
type Policy struct {
	// Delay is waited before each restart; 0: none. Not together with Backoff.
	Delay time.Duration
	// Backoff is waited before each restart, longer after each failure in a row.
	Backoff Backoff
	// MaxRestarts is how many restarts the child itself is given, whatever the
	// Intensity allows; 0 and Unlimited: no limit of its own.
	MaxRestarts int
	// Exhausted says what follows when MaxRestarts is used up.
	Exhausted Exhaustion
	// ResetAfter is how long an incarnation must have run to make what was before
	// forgotten: the next delay is Backoff.Initial again and MaxRestarts counts
	// from zero. 0: a run of Backoff.Max resets the backoff alone, and MaxRestarts
	// counts for the life of the child, or until a request restarts it.
	ResetAfter time.Duration
}

// Validate returns an error that names the field, as in "Backoff.Factor: ...", if
// a value is out of its range or both Delay and Backoff are set.
func (p Policy) Validate() error {
	switch {
	case p.Delay < 0:
		return fmt.Errorf("Delay: %v is negative", p.Delay)
	case p.Delay > 0 && !p.Backoff.IsZero():
		return errors.New("Delay: set together with Backoff")
	case p.MaxRestarts < Unlimited:
		return fmt.Errorf("MaxRestarts: %d is below -1 (Unlimited)", p.MaxRestarts)
	case !p.Exhausted.Valid():
		return fmt.Errorf("Exhausted: unknown %v", p.Exhausted)
	case p.ResetAfter < 0:
		return fmt.Errorf("ResetAfter: %v is negative", p.ResetAfter)
	}
	if err := p.Backoff.Validate(); err != nil {
		return fmt.Errorf("Backoff.%w", err)
	}
	return nil
}
