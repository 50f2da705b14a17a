package notify

import (
	"crypto/rand"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ErrNone means that there is no message at the moment.
const ErrNone = syscall.EAGAIN

// maxNotice is how many bytes a message may have. systemd takes 4096.
const maxNotice = 64 << 10

// Socket is where a process sends its messages. Its name, in the abstract
// namespace, is gone with it: no file is left, and what a process says too late the
// next one does not hear.
type Socket struct {
	Name string // as in NOTIFY_SOCKET
	conn *net.UnixConn
	raw  syscall.RawConn
}

// Listen makes a socket of a name that was never used before.
func Listen() (*Socket, error) {
	name := "@coppice/notify/" + rand.Text()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	raw, err := conn.SyscallConn()
	if err == nil {
		controlled := raw.Control(func(fd uintptr) {
			err = os.NewSyscallError("setsockopt", unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSCRED, 1))
		})
		if err == nil {
			err = controlled
		}
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &Socket{name, conn, raw}, nil
}

// Close closes it. A Receive that waits ends.
func (s *Socket) Close() { s.conn.Close() }

// Deadline ends, at t, a Receive that waits: os.ErrDeadlineExceeded.
func (s *Socket) Deadline(t time.Time) { _ = s.conn.SetReadDeadline(t) }

// datagram is room for one, needed only while it is read.
type datagram struct {
	text [maxNotice]byte
	more [2048]byte // credentials, and 253 descriptors at most: 1064
}

var datagrams = sync.Pool{New: func() any { return new(datagram) }}

// Receive hands the next message to hear, and then closes what came with it: whoever
// waits for that knows that the message was heard. If it is not to wait, and there is
// none, it is ErrNone.
func (s *Socket) Receive(wait bool, hear func(text string, whole bool, from Sender)) (err error) {
	var d *datagram
	var n, more, flags int
	read := func(fd uintptr) bool {
		d = datagrams.Get().(*datagram)
		for {
			n, more, flags, _, err = unix.Recvmsg(int(fd), d.text[:], d.more[:], unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
			if err != unix.EINTR {
				break
			}
		}
		if err == nil {
			return true
		}
		datagrams.Put(d)
		return err != unix.EAGAIN
	}
	var waited error
	if wait {
		waited = s.raw.Read(read)
	} else {
		waited = s.raw.Control(func(fd uintptr) { read(fd) })
	}
	if waited != nil {
		return waited
	}
	if err != nil {
		return err
	}
	from, files := accompaniment(d.more[:more])
	text := string(d.text[:n])
	datagrams.Put(d)
	hear(text, flags&unix.MSG_TRUNC == 0, from)
	for _, fd := range files {
		// A socket that lingers would hold up its close; of others it is an error.
		_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{})
		unix.Close(fd)
	}
	return nil
}

// accompaniment is what comes with a message. Who has sent it is nobody if that is
// not told.
func accompaniment(b []byte) (from Sender, files []int) {
	from.UID = nobody
	messages, err := unix.ParseSocketControlMessage(b)
	if err != nil {
		return from, nil
	}
	for _, m := range messages {
		if fds, err := unix.ParseUnixRights(&m); err == nil {
			files = append(files, fds...)
		}
		if c, err := unix.ParseUnixCredentials(&m); err == nil {
			from = Sender{c.Pid, c.Uid}
		}
	}
	return from, files
}

// Monotonic is the clock of MONOTONIC_USEC.
func Monotonic() uint64 {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t)
	return uint64(t.Nano() / 1000)
}
