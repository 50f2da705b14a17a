package keeper

import (
	"bytes"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// stat is what /proc tells of a process.
type stat struct {
	pid, ppid, pgid, sid int
	zombie               bool
	start                uint64 // with pid it names one process and no other
}

// readStat is false for a process that is no more.
func readStat(pid int) (s stat, ok bool) {
	b, err := readProc("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return s, false
	}
	// pid (name) state ppid pgrp session …, where the name may contain anything.
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(f) < 20 {
		return s, false
	}
	s.pid = pid
	s.ppid, _ = strconv.Atoi(f[1])
	s.pgid, _ = strconv.Atoi(f[2])
	s.sid, _ = strconv.Atoi(f[3])
	s.start, _ = strconv.ParseUint(f[19], 10, 64)
	// One whose first thread has ended looks like a zombie while others run.
	threads, _ := strconv.Atoi(f[17])
	s.zombie = (f[0] == "Z" || f[0] == "X") && threads <= 1
	return s, true
}

// signal sends sig to the process that was read and to no other, as far as the
// system lets it be sure.
func (s stat) signal(sig syscall.Signal) error {
	fd, err := unix.PidfdOpen(s.pid, 0)
	if err == nil {
		defer unix.Close(fd)
		if !s.still() {
			return ErrGone
		}
		if err = unix.PidfdSendSignal(fd, sig&^plain, nil, 0); err == nil && sig != syscall.SIGKILL && sig&plain == 0 {
			_ = unix.PidfdSendSignal(fd, syscall.SIGCONT, nil, 0)
		}
	}
	switch {
	case err == nil:
		return nil
	case err == syscall.ESRCH || !s.still():
		return ErrGone
	}
	return wake(s.pid, sig) // it may be that only descriptors are forbidden
}

// still tells whether the process is the one that was read.
func (s stat) still() bool {
	now, ok := readStat(s.pid)
	return ok && now.start == s.start
}

// procIsOurs tells whether /proc is that of this process's pid namespace. Another
// one's numbers are other processes.
var procIsOurs = sync.OnceValue(func() bool {
	self, err := os.Readlink("/proc/self")
	return err == nil && self == strconv.Itoa(os.Getpid())
})

// everyone is all processes of the system.
func everyone() []int {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	pids := make([]int, 0, len(names))
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// childrenOf is the children that any thread of the process has.
func childrenOf(pid int) []int {
	if !childrenListed() {
		var pids []int
		for _, other := range everyone() {
			if s, ok := readStat(other); ok && s.ppid == pid {
				pids = append(pids, other)
			}
		}
		return pids
	}
	tasks := "/proc/" + strconv.Itoa(pid) + "/task"
	dir, err := os.Open(tasks)
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	var pids []int
	for _, name := range names {
		pids = append(pids, readPIDs(tasks+"/"+name+"/children")...)
	}
	return pids
}

// childrenListed tells whether the kernel was built to list children.
var childrenListed = sync.OnceValue(func() bool {
	_, err := os.ReadFile("/proc/thread-self/children")
	return err == nil
})

func readPIDs(name string) []int {
	b, err := readProc(name)
	if err != nil {
		return nil
	}
	return parsePIDs(b)
}

func parsePIDs(b []byte) (pids []int) {
	for _, f := range strings.Fields(string(b)) {
		if pid, err := strconv.Atoi(f); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// readProc is os.ReadFile without a try to make it a file that can be waited for,
// which takes longer than the reading.
func readProc(name string) ([]byte, error) {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	return readAll(fd)
}

// readAll begins at the beginning, also if the file was read before.
func readAll(fd int) ([]byte, error) {
	b := make([]byte, 0, 512)
	for {
		n, err := unix.Pread(fd, b[len(b):cap(b)], int64(len(b)))
		switch {
		case err == unix.EINTR:
			continue
		case err != nil || n <= 0:
			return b, err
		}
		if b = b[:len(b)+n]; len(b) == cap(b) {
			b = slices.Grow(b, len(b))
		}
	}
}
