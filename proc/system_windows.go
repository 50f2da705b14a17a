package proc

import "syscall"

// errTextBusy is the program's file being written to.
const errTextBusy = syscall.Errno(32) // ERROR_SHARING_VIOLATION

// sigReload is what most daemons take for that elsewhere.
const sigReload = syscall.SIGHUP

// errNotProgram is a file that the system cannot execute.
const errNotProgram = syscall.Errno(193) // ERROR_BAD_EXE_FORMAT

// readNow is not needed: a pipe's reads have no deadline here.
func readNow(syscall.RawConn, []byte) int { return 0 }
