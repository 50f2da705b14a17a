package keeper

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// poll waits for one of some descriptors that can be read. Any thread may.
type poll struct{ epoll int }

func newPoll() (poll, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	return poll{fd}, os.NewSyscallError("epoll_create1", err)
}

// add has fd waited for, once if it is with unix.EPOLLONESHOT, and then again after
// set.
func (p poll) add(fd int, events uint32) error {
	return unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)})
}

func (p poll) set(fd int, events uint32) error {
	return unix.EpollCtl(p.epoll, unix.EPOLL_CTL_MOD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)})
}

func (p poll) remove(fd int) { _ = unix.EpollCtl(p.epoll, unix.EPOLL_CTL_DEL, fd, nil) }

const (
	forLong = -1
	atOnce  = 0
)

// next is -1 if there is none. It takes one alone, so that another thread can have
// the next.
func (p poll) next(timeout int) (int, error) {
	for {
		var event [1]unix.EpollEvent
		n, err := unix.EpollWait(p.epoll, event[:], timeout)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return -1, os.NewSyscallError("epoll_wait", err)
		case n == 0:
			return -1, nil
		default:
			return int(event[0].Fd), nil
		}
	}
}

// loops is what the guardian's two threads wait for: main for messages, starts for
// messages and for the ends of processes. Who has told of an end is the one who is
// then asked for the next start: to wake up another thread, on another CPU, would
// take longer than what either does. While a start is in progress, which may take
// long, main looks after the ends, too.
type loops struct {
	main, starts poll

	mu   sync.Mutex
	ends map[int]func() // by pidfd
}

func newLoops() (l *loops, err error) {
	l = &loops{ends: make(map[int]func())}
	if l.main, err = newPoll(); err != nil {
		return nil, err
	}
	if l.starts, err = newPoll(); err != nil {
		return nil, err
	}
	if err = l.main.add(guardianFD, unix.EPOLLIN); err != nil {
		return nil, err
	}
	if err = l.main.add(l.starts.epoll, 0); err != nil {
		return nil, err
	}
	return l, l.starts.add(startsFD, unix.EPOLLIN|unix.EPOLLONESHOT)
}

// add calls ended when the process of pidfd has ended. False: that is not possible.
func (l *loops) add(pidfd int, ended func()) bool {
	if pidfd < 0 {
		return false
	}
	l.mu.Lock()
	l.ends[pidfd] = ended
	l.mu.Unlock()
	if l.starts.add(pidfd, unix.EPOLLIN|unix.EPOLLONESHOT) != nil {
		l.mu.Lock()
		delete(l.ends, pidfd)
		l.mu.Unlock()
		return false
	}
	return true
}

// end calls what is to be called for a descriptor and closes it. To close it would
// not be enough to hear no more of it: a process that is being started has a copy for
// a moment.
func (l *loops) end(pidfd int) {
	l.mu.Lock()
	ended := l.ends[pidfd]
	delete(l.ends, pidfd)
	l.mu.Unlock()
	ended()
	l.starts.remove(pidfd)
	unix.Close(pidfd)
}

// awaitStart returns when there is a message. Then the other thread has the ends,
// until started is called.
func (l *loops) awaitStart() error {
	for {
		fd, err := l.starts.next(forLong)
		if err != nil {
			return err
		}
		if fd == startsFD {
			return l.main.set(l.starts.epoll, unix.EPOLLIN)
		}
		l.end(fd)
	}
}

func (l *loops) started() error {
	if err := l.main.set(l.starts.epoll, 0); err != nil {
		return err
	}
	return l.starts.set(startsFD, unix.EPOLLIN|unix.EPOLLONESHOT)
}

// awaitMain returns when there is a message.
func (l *loops) awaitMain() error {
	for {
		fd, err := l.main.next(forLong)
		if err != nil || fd == guardianFD {
			return err
		}
		switch fd, err = l.starts.next(atOnce); {
		case err != nil:
			return err
		case fd == startsFD: // the start is over, and this is the next
			err = l.starts.set(startsFD, unix.EPOLLIN|unix.EPOLLONESHOT)
		case fd >= 0:
			l.end(fd)
		}
		if err != nil {
			return err
		}
	}
}
