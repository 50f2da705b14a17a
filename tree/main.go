package tree

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// Exit codes of Main.
const (
	ExitOK      = 0 // the tree ended in order, after a signal or by itself
	ExitFailure = 1 // it did not start, or gave up
	ExitStuck   = 3 // something did not end, or a second signal forced the end
)

// Main runs the tree as a program does. It is Runner{}.Main.
//
//	func main() { os.Exit(tree.Main(spec)) }
func Main(spec Spec) int { return Runner{}.Main(spec) }

// Main runs the tree until SIGINT or SIGTERM stops it in order, bounded by
// StopTimeout, or until it ends by itself. A second signal forces the end.
// Failures are logged. The result is the exit code: ExitOK, ExitFailure or
// ExitStuck.
func (r Runner) Main(spec Spec) int {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	return r.main(spec, signals)
}

func (r Runner) main(spec Spec, signals <-chan os.Signal) int {
	log := r.logger()
	t, err := r.launch(context.Background(), spec)
	if err != nil {
		log.Error("not started", "error", err)
		return ExitFailure
	}
	asked, forced := false, false
	for {
		select {
		case s := <-signals:
			if asked {
				log.Warn("forcing the stop", "signal", s.String())
				forced = true
				t.force()
				continue
			}
			log.Info("stopping in order; a second signal forces it", "signal", s.String())
			asked = true
			t.beginStop(fmt.Errorf("signal: %v", s), t.runner.StopTimeout)
		case <-t.ended:
			return t.exitCode(forced)
		}
	}
}

func (t *Tree) exitCode(forced bool) int {
	for _, s := range t.report.Stuck {
		t.log.Error("still running at the end", "path", s.Path, "incarnation", s.Incarnation, "stack", s.Stack)
	}
	switch {
	case forced || len(t.report.Stuck) > 0:
		return ExitStuck
	case t.err == nil:
		return ExitOK
	case t.root.stoppedStarting():
		t.log.Info("stopped while starting")
		return ExitOK
	}
	t.log.Error("failed", "error", errorText(t.err))
	return ExitFailure
}
