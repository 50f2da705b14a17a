package strategies

import "time"

// Retries is the history of one child under a Policy. The zero value is that of a
// child that was never restarted. A Retries belongs to one Policy: give its
// methods the same one each time. It may be copied.
type Retries struct {
	count  int // restarts toward MaxRestarts
	streak int // failures in a row, for Backoff
}

// Ran notes that an incarnation has ended after it had run for d, from ready to
// its end; 0 for one that never became ready. It comes before the Next that
// answers this end.
func (r *Retries) Ran(p *Policy, d time.Duration) {
	switch {
	case p.ResetAfter > 0:
		if d >= p.ResetAfter {
			r.Reset()
		}
	case !p.Backoff.IsZero():
		if d >= p.Backoff.WithDefaults().Max {
			r.streak = 0
		}
	}
}

// Next counts one restart and returns how long to wait before it, with rnd as in
// Backoff.Delay. If MaxRestarts is used up, ok is false and nothing is counted.
func (r *Retries) Next(p *Policy, rnd float64) (delay time.Duration, ok bool) {
	if r.Exhausted(p) {
		return 0, false
	}
	r.count++
	r.streak++
	if p.Backoff.IsZero() {
		return p.Delay, true
	}
	return p.Backoff.Delay(r.streak, rnd), true
}

// Exhausted tells whether MaxRestarts is used up: Next would not count another.
func (r *Retries) Exhausted(p *Policy) bool { return p.MaxRestarts > 0 && r.count >= p.MaxRestarts }

// Count returns the restarts counted toward MaxRestarts.
func (r *Retries) Count() int { return r.count }

// Reset forgets the history.
func (r *Retries) Reset() { *r = Retries{} }
