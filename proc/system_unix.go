//go:build unix

package proc

import (
	"io"
	"sync"
	"syscall"
)

// errTextBusy is the program's file being written to.
const errTextBusy = syscall.ETXTBSY

// sigReload is what most daemons take for that.
const sigReload = syscall.SIGHUP

// errNotProgram is a file that the system cannot execute.
const errNotProgram = syscall.ENOEXEC

// reader reads a pipe without a buffer of its own while there is nothing to read.
type reader struct {
	buf *[readSize]byte
	n   int
	err error
}

var buffers = sync.Pool{New: func() any { return new([readSize]byte) }}

func (r *reader) release() {
	if r.buf != nil {
		buffers.Put(r.buf)
		r.buf = nil
	}
}

// try reads what is there; false: nothing is.
func (r *reader) try(fd uintptr) bool {
	r.buf = buffers.Get().(*[readSize]byte)
	for {
		if r.n, r.err = syscall.Read(int(fd), r.buf[:]); r.err != syscall.EINTR {
			break
		}
	}
	if r.n <= 0 {
		r.n = 0
		r.release()
	}
	return r.err != syscall.EAGAIN
}

// wait waits for something, or for the end. It may return both.
func (r *reader) wait(o *output) ([]byte, error) {
	if err := o.conn.Read(r.try); err != nil {
		return nil, err
	}
	if r.n == 0 {
		if r.err == nil {
			r.err = io.EOF
		}
		return nil, r.err
	}
	return r.buf[:r.n], nil
}

// now does not wait. It returns nothing also at the end.
func (r *reader) now(o *output) []byte {
	r.n = 0
	_ = o.conn.Read(func(fd uintptr) bool { r.try(fd); return true })
	if r.n == 0 {
		return nil
	}
	return r.buf[:r.n]
}
