package strategies

import "time"

// Window counts the restarts of one supervisor against its Intensity. The zero
// value counts against the zero Intensity.
//
// Its memory grows with the restarts that fall within Intensity.Within and is
// bounded by Intensity.Max+1 of them. A copy shares that memory: after the first
// Add use only one of the two.
//
// The times given to its methods must not go back. If they do, the clock is read
// as if it had stood still.
type Window struct {
	intensity Intensity
	base      time.Time
	last      time.Duration   // the latest now, since base
	ring      []time.Duration // restarts since base, the oldest at head
	head      int
	used      int
}

// NewWindow returns an empty window for what i means WithDefaults. It does not
// validate i: a Max below Unlimited counts as Unlimited.
func NewWindow(i Intensity) Window { return Window{intensity: i.WithDefaults()} }

// Intensity returns what the window counts against, with defaults applied.
func (w *Window) Intensity() Intensity { return w.intensity.WithDefaults() }

// Add counts a restart at now. used is the number of restarts within the window
// that ends at now, this one included; ok is false if they are more than Max, and
// used then is Max+1 however many there were.
//
// With Unlimited no time is kept: ok is always true and used is the number of
// restarts since the beginning.
func (w *Window) Add(now time.Time) (used int, ok bool) {
	w.advance(now)
	limit := w.intensity.Max
	if limit < 0 {
		w.used++
		return w.used, true
	}
	if w.used > limit { // keep Max+1: the oldest can no longer decide anything
		w.drop()
	}
	if w.used == len(w.ring) {
		w.grow()
	}
	w.ring[(w.head+w.used)%len(w.ring)] = w.last
	w.used++
	return w.used, w.used <= limit
}

// Used returns the number of restarts within the window that ends at now, as Add
// counts them, without counting one.
func (w *Window) Used(now time.Time) int {
	w.advance(now)
	return w.used
}

// advance sets the clock to now and forgets what has left the window.
func (w *Window) advance(now time.Time) {
	if w.intensity.Within == 0 {
		w.intensity = w.intensity.WithDefaults()
	}
	if w.intensity.Max < 0 {
		return
	}
	w.last = max(w.last, now.Sub(w.base))
	for w.used > 0 && w.last-w.ring[w.head] > w.intensity.Within {
		w.drop()
	}
	if w.used == 0 && now.Sub(w.base) == w.last {
		w.base, w.last = now, 0
	}
}

func (w *Window) drop() {
	w.head = (w.head + 1) % len(w.ring)
	w.used--
}

func (w *Window) grow() {
	size := max(2*len(w.ring), 4)
	if size > w.intensity.Max {
		size = w.intensity.Max + 1
	}
	ring := make([]time.Duration, size)
	n := copy(ring, w.ring[w.head:])
	copy(ring[n:], w.ring[:w.head])
	w.ring, w.head = ring, 0
}
