package proc_test

import (
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

func say(text string, files ...int) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	check(err)
	defer unix.Close(fd)
	var rights []byte
	if len(files) > 0 {
		rights = unix.UnixRights(files...)
	}
	to := &unix.SockaddrUnix{Name: os.Getenv("NOTIFY_SOCKET")}
	for err = unix.EINTR; err == unix.EINTR; {
		err = unix.Sendmsg(fd, []byte(text), rights, to, 0)
	}
	check(err)
}

// barrier waits, as sd_notify_barrier does, for the other end to be closed by who
// has got it.
func barrier() {
	r, w, err := os.Pipe()
	check(err)
	say("BARRIER=1", int(w.Fd()))
	w.Close()
	_, _ = r.Read(make([]byte, 1))
}

func give(n int) {
	for range n {
		say("FDSTORE=1\nFDNAME=x", slices.Repeat([]int{0}, 100)...)
	}
}

// linger gives away a connection that nobody reads at the other end.
func linger(port string) {
	to, err := strconv.Atoi(port)
	check(err)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	check(err)
	check(unix.Connect(fd, &unix.SockaddrInet4{Port: to, Addr: [4]byte{127, 0, 0, 1}}))
	check(unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: 3600}))
	for err == nil {
		err = unix.Sendto(fd, make([]byte, 1<<16), unix.MSG_DONTWAIT, nil)
	}
	say("READY=1", fd)
	unix.Close(fd)
}
