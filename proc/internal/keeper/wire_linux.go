package keeper

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// What the program and its guardian say to each other. Each message is one
// packet: its kind, and its fields. Of one that is too long for a packet only the
// first three numbers are in it, and all is in a file in memory, which is the
// first descriptor that comes along.
type kind uint64

const (
	msgHello   kind = iota // the guardian is ready; whether it is blind, and where it is
	msgStart               // id, call, whether there are a dir and a first file, path, args, env; dir and files come along
	msgSignal              // id, call, signal, scope
	msgLeft                // id, call
	msgForget              // ids
	msgAnswer              // call, error, pid or number of processes left
	msgEnded               // id, and an End
	msgMembers             // id, call; answered by their number, and their pids

	msgLong kind = 1 << 10 // added to a kind: the message is in a file
)

const (
	maxPacket = 32 << 10
	maxForget = 1000 // ids in one message
	maxFiles  = 250  // that the system lets pass in one packet, nearly
)

// message is written from its fields and read into them, in the same order.
type message struct {
	b     []byte
	files []int
	bad   bool
	cut   bool // there was no room for all files
}

func newMessage(k kind, fields ...uint64) *message {
	m := &message{}
	m.uint(uint64(k))
	for _, f := range fields {
		m.uint(f)
	}
	return m
}

func (m *message) uint(v uint64) { m.b = binary.AppendUvarint(m.b, v) }

func (m *message) string(s string) {
	m.uint(uint64(len(s)))
	m.b = append(m.b, s...)
}

func (m *message) strings(s []string) {
	m.uint(uint64(len(s)))
	for _, s := range s {
		m.string(s)
	}
}

func (m *message) readUint() uint64 {
	v, n := binary.Uvarint(m.b)
	if n <= 0 {
		m.b, m.bad = nil, true
		return 0
	}
	m.b = m.b[n:]
	return v
}

func (m *message) readString() string {
	n := m.readUint()
	if n > uint64(len(m.b)) {
		m.b, m.bad = nil, true
		return ""
	}
	s := string(m.b[:n])
	m.b = m.b[n:]
	return s
}

func (m *message) readStrings() []string {
	n := m.readUint()
	if n > uint64(len(m.b)) { // each takes a byte at least
		m.b, m.bad = nil, true
		return nil
	}
	s := make([]string, n)
	for i := range s {
		s[i] = m.readString()
	}
	return s
}

// send sends m through fd, as one packet.
func send(fd int, m *message) error {
	files := m.files
	b := m.b
	if len(b) > maxPacket {
		file, err := memfile(b)
		if err != nil {
			return err
		}
		defer unix.Close(file)
		files = append([]int{file}, files...)
		m := &message{b: b}
		b = newMessage(kind(m.readUint())+msgLong, m.readUint(), m.readUint()).b
	}
	var oob []byte
	if len(files) > 0 {
		oob = unix.UnixRights(files...)
	}
	for {
		err := unix.Sendmsg(fd, b, oob, nil, unix.MSG_NOSIGNAL)
		if err != unix.EINTR {
			return err
		}
	}
}

func memfile(b []byte) (int, error) {
	fd, err := unix.MemfdCreate("coppice", unix.MFD_CLOEXEC)
	if err != nil {
		return -1, os.NewSyscallError("memfd_create", err)
	}
	if _, err := unix.Pwrite(fd, b, 0); err != nil {
		unix.Close(fd)
		return -1, os.NewSyscallError("write", err)
	}
	return fd, nil
}

var errMessage = errors.New("bad message")

// receiver reads messages. A message is good until the next is read, its
// descriptors belong to the caller.
type receiver struct{ b, oob []byte }

func newReceiver() *receiver {
	return &receiver{b: make([]byte, maxPacket+1), oob: make([]byte, unix.CmsgSpace(4*(maxFiles+3)))}
}

// receive reads a message. io.EOF is the end of the other side.
func (r *receiver) receive(fd int) (kind, *message, error) {
	n, oobn, flags, _, err := unix.Recvmsg(fd, r.b, r.oob, unix.MSG_CMSG_CLOEXEC)
	for err == unix.EINTR {
		n, oobn, flags, _, err = unix.Recvmsg(fd, r.b, r.oob, unix.MSG_CMSG_CLOEXEC)
	}
	if err == unix.ECONNRESET || err == nil && n == 0 {
		err = io.EOF
	}
	if err != nil {
		return 0, nil, err
	}
	m := &message{b: r.b[:n], files: rights(r.oob[:oobn]), cut: flags&unix.MSG_CTRUNC != 0}
	k := kind(m.readUint())
	if k >= msgLong && m.cut {
		k -= msgLong
	}
	if k >= msgLong {
		if len(m.files) == 0 {
			return 0, nil, errMessage
		}
		f := os.NewFile(uintptr(m.files[0]), "memfd")
		m.files = m.files[1:]
		m.b, err = readFile(f)
		f.Close()
		if err != nil {
			m.closeFiles()
			return 0, nil, err
		}
		k = kind(m.readUint())
	}
	return k, m, nil
}

func readFile(f *os.File) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	b := make([]byte, info.Size())
	_, err = f.ReadAt(b, 0)
	return b, err
}

func rights(oob []byte) []int {
	if len(oob) == 0 {
		return nil
	}
	parts, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	var files []int
	for i := range parts {
		if fds, err := syscall.ParseUnixRights(&parts[i]); err == nil {
			files = append(files, fds...)
		}
	}
	return files
}

func (m *message) closeFiles() {
	for _, fd := range m.files {
		unix.Close(fd)
	}
}
