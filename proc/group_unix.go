//go:build unix

package proc

import (
	"errors"
	"os"
	"syscall"
)

// signalGroup sends s to the group that the process leads. A process that is
// stopped is woken up, so that it can act on s.
//
// The group's number is the leader's pid. It is not given to another process
// while a member of the group lives, and the system hands out numbers in turn, so
// one that has just become free is not given away between a look and a signal.
func signalGroup(leader *os.Process, s syscall.Signal) error {
	err := syscall.Kill(-leader.Pid, s)
	if errors.Is(err, syscall.ESRCH) {
		return os.ErrProcessDone
	}
	if err == nil && s != syscall.SIGKILL {
		_ = syscall.Kill(-leader.Pid, syscall.SIGCONT)
	}
	return err
}

// groupEmpty tells whether the group of a leader that has been reaped has no
// member that is alive.
func groupEmpty(pid int) bool {
	if errors.Is(syscall.Kill(-pid, 0), syscall.ESRCH) {
		return true
	}
	return onlyZombies(pid)
}

func transient(err error) bool {
	return errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.ENOMEM) || errors.Is(err, syscall.ETXTBSY)
}

// readNow reads what is there, and returns 0 or less if there is nothing or no
// more.
func readNow(conn syscall.RawConn, b []byte) (n int) {
	_ = conn.Read(func(fd uintptr) bool {
		var err error
		for {
			if n, err = syscall.Read(int(fd), b); err != syscall.EINTR {
				return true
			}
		}
	})
	return n
}
