package tree

import (
	"os"
	"time"
)

// SetLongRun changes how long a child must have run for its end to go ahead, until
// undo is called. No tree may run.
func SetLongRun(d time.Duration) (undo func()) {
	before := longRun
	longRun = d
	return func() { longRun = before }
}

// MainSignals is Main with the signals given.
func (r Runner) MainSignals(spec Spec, signals <-chan os.Signal) int { return r.main(spec, signals) }

// WithExit replaces os.Exit.
func (r Runner) WithExit(exit func(code int)) Runner {
	r.exit = exit
	return r
}
