package proc

import (
	"fmt"
	"os"

	"github.com/coppice-go/coppice/proc/internal/keeper"
)

// BecomeInit is to be called first in main by a program that may be PID 1, the
// first process of a container, on Linux. There it has a second duty, to reap the
// processes whose own parents have ended, and cannot do so without taking the exit
// status of processes that os/exec is waiting for. So it starts itself once more:
// the other goes on in main as an ordinary process. PID 1 passes signals on to it,
// reaps, and exits with its exit code, 128 and the signal's number if a signal
// ended it; the system then kills what is left.
//
// It returns at once, nil, in the other and in a program that is not PID 1. An
// error means that the other could not be started, and that nobody reaps. It costs
// some MB of memory; what is done before the call is done twice.
func BecomeInit() error {
	code, over, err := keeper.BeInit()
	if err != nil {
		return fmt.Errorf("become init: %w", err)
	}
	if over {
		os.Exit(code)
	}
	return nil
}
