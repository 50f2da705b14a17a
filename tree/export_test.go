package tree

import "os"

// MainSignals is Main with the signals given.
func (r Runner) MainSignals(spec Spec, signals <-chan os.Signal) int { return r.main(spec, signals) }

// WithExit replaces os.Exit.
func (r Runner) WithExit(exit func(code int)) Runner {
	r.exit = exit
	return r
}
