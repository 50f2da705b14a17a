//go:build unix && !linux

package keeper

import (
	"os"
	"syscall"
)

func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// signalGroup sends sig to the group that p leads, and wakes up who is stopped.
func signalGroup(p *os.Process, sig syscall.Signal) error {
	err := syscall.Kill(-p.Pid, sig)
	if err == syscall.ESRCH {
		return ErrGone
	}
	if err == nil && sig != syscall.SIGKILL {
		_ = syscall.Kill(-p.Pid, syscall.SIGCONT)
	}
	return err
}

func groupAlive(pgid int) bool { return syscall.Kill(-pgid, 0) != syscall.ESRCH }
