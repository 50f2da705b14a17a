package keeper

import (
	"sync"

	"golang.org/x/sys/unix"
)

// loop waits for the ends of processes and for messages, in one thread, so that
// neither has to be handed from one to another.
type loop struct {
	epoll  int
	main   int // where messages come from
	events []unix.EpollEvent

	mu   sync.Mutex
	ends map[int]func() // by pidfd
}

func newLoop(main int) (*loop, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	l := &loop{epoll: fd, main: main, ends: make(map[int]func()), events: make([]unix.EpollEvent, 64)}
	return l, l.register(main)
}

func (l *loop) register(fd int) error {
	return unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
}

// add calls ended, from wait, when the process of pidfd has ended. False: that is
// not possible.
func (l *loop) add(pidfd int, ended func()) bool {
	if pidfd < 0 {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.register(pidfd) != nil {
		return false
	}
	l.ends[pidfd] = ended
	return true
}

// end calls what is to be called for a descriptor, once, and closes it. To close
// it would not be enough to hear no more of it: a process that is being started
// has a copy for a moment.
func (l *loop) end(fd int) {
	l.mu.Lock()
	ended := l.ends[fd]
	delete(l.ends, fd)
	l.mu.Unlock()
	ended()
	_ = unix.EpollCtl(l.epoll, unix.EPOLL_CTL_DEL, fd, nil)
	unix.Close(fd)
}

// wait returns when there is a message.
func (l *loop) wait() error {
	for message := false; !message; {
		n, err := unix.EpollWait(l.epoll, l.events, -1)
		if err != nil && err != unix.EINTR {
			return err
		}
		for _, e := range l.events[:max(n, 0)] {
			if int(e.Fd) == l.main {
				message = true
			} else {
				l.end(int(e.Fd))
			}
		}
	}
	return nil
}
