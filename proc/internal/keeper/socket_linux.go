package keeper

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// socket is one of the two connections to the guardian.
type socket struct {
	file, theirs *os.File
	conn         syscall.RawConn
}

func newSocket() (*socket, error) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	_ = unix.SetNonblock(ends[0], true)
	s := &socket{file: os.NewFile(uintptr(ends[0]), "guardian"), theirs: os.NewFile(uintptr(ends[1]), "guardian")}
	if s.conn, err = s.file.SyscallConn(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *socket) close() {
	s.file.Close()
	s.theirs.Close()
}

func (s *socket) receive(rc *receiver) (k kind, m *message, err error) {
	waited := s.conn.Read(func(fd uintptr) bool {
		k, m, err = rc.receive(int(fd))
		return err != unix.EAGAIN
	})
	if waited != nil { // err is why it waited
		return 0, nil, waited
	}
	return k, m, err
}

func (s *socket) send(m *message) (err error) {
	waited := s.conn.Write(func(fd uintptr) bool {
		err = send(int(fd), m)
		return err != unix.EAGAIN
	})
	if waited != nil || err == unix.EPIPE || err == unix.ECONNRESET {
		return ErrLost
	}
	return err
}
