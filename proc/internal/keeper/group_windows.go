package keeper

import (
	"errors"
	"os"
	"syscall"
)

func ownGroup() *syscall.SysProcAttr { return nil }

// signalGroup can only end the process: Windows has neither signals nor groups.
func signalGroup(p *os.Process, _ syscall.Signal) error {
	if err := p.Kill(); !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return ErrGone
}

func groupAlive(int) bool { return false }
