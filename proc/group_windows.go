package proc

import (
	"os"
	"syscall"
)

// signalGroup can only end the process: Windows has neither signals nor groups.
func signalGroup(leader *os.Process, _ syscall.Signal) error { return leader.Kill() }

func groupEmpty(int) bool { return true }

func transient(error) bool { return false }

// readNow is not needed: a pipe's reads have no deadline here.
func readNow(syscall.RawConn, []byte) int { return 0 }
