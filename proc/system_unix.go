//go:build unix

package proc

import "syscall"

// errTextBusy is the program's file being written to.
const errTextBusy = syscall.ETXTBSY

// sigReload is what most daemons take for that.
const sigReload = syscall.SIGHUP

// errNotProgram is a file that the system cannot execute.
const errNotProgram = syscall.ENOEXEC

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
