package keeper

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// marks tell whose a process is whose parent has ended. A process can leave its
// group and its session, clear its environment and close its files, but its
// resource limits it inherits, and one of them, RLIMIT_LOCKS, has meant nothing
// to Linux since 2.4.25: its soft value carries the mark. A program that runs
// processes may itself be one, so a mark has a place for each of three levels.
type marks struct {
	base  uint64 // the mark that this process has got
	shift uint   // of the level below; noMark: there is none
}

const (
	magic    = 0x2c09 << 48 // what a mark looks like, above all levels
	slotBits = 16
	slots    = 1<<slotBits - 1 // of a level; 0 is none
	noMark   = 64
)

// readMarks finds out where in the nest this process is.
func readMarks() marks {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_LOCKS, &limit) != nil || limit.Max != unix.RLIM_INFINITY {
		return marks{shift: noMark}
	}
	m := marks{base: magic, shift: 48 - slotBits}
	if limit.Cur>>48 == magic>>48 {
		m.base = limit.Cur
		for m.base>>m.shift&slots != 0 {
			if m.shift == 0 {
				return marks{shift: noMark}
			}
			m.shift -= slotBits
		}
	}
	m.set(0)
	if unix.Getrlimit(unix.RLIMIT_LOCKS, &limit) != nil || limit.Cur != m.base {
		return marks{shift: noMark} // the kernel has no room for it
	}
	return m
}

// set marks what this process starts from now on.
func (m marks) set(slot uint64) {
	if m.shift == noMark {
		return
	}
	_ = unix.Setrlimit(unix.RLIMIT_LOCKS, &unix.Rlimit{Cur: m.base | slot<<m.shift, Max: unix.RLIM_INFINITY})
}

// slot is the one a process was marked with, by this process; 0 if it was not.
func (m marks) slot(pid int) uint64 {
	if m.shift == noMark {
		return 0
	}
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/limits")
	if err != nil {
		return 0
	}
	_, line, _ := strings.Cut(string(b), "Max file locks")
	f := strings.Fields(line)
	if len(f) == 0 {
		return 0
	}
	mark, err := strconv.ParseUint(f[0], 10, 64)
	if err != nil || mark>>(m.shift+slotBits) != m.base>>(m.shift+slotBits) {
		return 0
	}
	return mark >> m.shift & slots
}
