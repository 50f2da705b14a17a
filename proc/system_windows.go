package proc

import "syscall"

// errTextBusy is the program's file being written to.
const errTextBusy = syscall.Errno(32) // ERROR_SHARING_VIOLATION

// sigReload is what most daemons take for that elsewhere.
const sigReload = syscall.SIGHUP

// errNotProgram is a file that the system cannot execute.
const errNotProgram = syscall.Errno(193) // ERROR_BAD_EXE_FORMAT

// reader reads a pipe.
type reader struct{ buf []byte }

func (r *reader) release() {}

// wait waits for something, or for the end. It may return both.
func (r *reader) wait(o *output) ([]byte, error) {
	if r.buf == nil {
		r.buf = make([]byte, readSize)
	}
	n, err := o.read.Read(r.buf)
	return r.buf[:n], err
}

// now is not needed: a pipe's reads have no deadline here.
func (r *reader) now(*output) []byte { return nil }
