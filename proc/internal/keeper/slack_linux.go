package keeper

import (
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// relaxed is the timer slack of the guardian, in nanoseconds: how late its timers may
// be. While a thread is in a system call, and for some time after, Go looks every
// 20 us whether it has to do something about that, on a CPU that a process which has
// just been started could use.
const relaxed = 1_000_000

// relax calls start, which starts a process, in a thread of that slack, for it to have
// the same. before is what the thread had.
func relax(start func(before int) error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil {
		before = 0
	}
	if before > 0 && before < relaxed && setSlack(relaxed) {
		defer setSlack(before)
	}
	return start(before)
}

// setSlack is for this thread and what it starts.
func setSlack(ns int) bool {
	return unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(ns), 0, 0, 0) == nil
}

// tighten gives this thread the slack that the guardian was told of, which the
// processes it starts are to have.
func tighten(arg string) {
	if ns, err := strconv.Atoi(arg); err == nil && ns > 0 {
		setSlack(ns)
	}
}
