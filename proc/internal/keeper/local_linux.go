package keeper

import (
	"context"
	"errors"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// newParent starts a guardian. Where that is not possible, or COPPICE_GUARDIAN is
// off, the program itself is the parent. warning is why what leaves its group may be
// left behind, unless somebody wanted it so. A shortage that may
// pass is an error.
func newParent(ctx context.Context) (p parent, warning, err error) {
	if os.Getenv("COPPICE_GUARDIAN") != "off" {
		r, err := (*remote)(nil), errFewFiles
		if !fewFiles() {
			r, err = startGuardian(ctx)
		}
		if ctx.Err() != nil && err != nil {
			return nil, nil, context.Cause(ctx)
		}
		for _, short := range []error{syscall.EAGAIN, syscall.ENOMEM, syscall.EMFILE, syscall.ENFILE} {
			if errors.Is(err, short) {
				return nil, nil, err
			}
		}
		if err == nil && r.blind {
			return r, errBlind, nil
		}
		if err == nil {
			return r, nil, nil
		}
		warning = err
	}
	return &local{ks: newKids(false), forker: newForker()}, warning, nil
}

var errBlind = errors.New("no control groups, and no room for marks in RLIMIT_LOCKS")

var errFewFiles = errors.New("a guardian needs more open files than the limit")

func fewFiles() bool {
	const few = 36
	var limit unix.Rlimit
	return unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil && limit.Max < few
}

// local is the program as the parent of its processes. They die with it, but
// what they leave behind is known only as far as it stays in their group.
type local struct {
	ks     *kids
	forker *forker
}

func (l *local) start(_ context.Context, id uint64, s Spec, ended func(End)) (pid int, err error) {
	null, err := s.openNull()
	if err != nil {
		return 0, err
	}
	defer null.Close()
	files := make([]uintptr, len(s.Files))
	for i, f := range s.Files {
		files[i] = f.Fd()
	}
	if !l.forker.do(func() { pid, err = l.ks.start(id, s, -1, files, ended) }) {
		err = ErrGone
	}
	runtime.KeepAlive(s.Files)
	return pid, err
}

func (l *local) signal(id uint64, sig syscall.Signal, to Scope) error {
	return l.ks.signal(id, sig, to)
}

func (l *local) left(id uint64) (int, error)      { return l.ks.left(id) }
func (l *local) members(id uint64) ([]int, error) { return l.ks.pids(id) }
func (l *local) forget(id uint64)                 { l.ks.forget(id) }
func (l *local) broken() bool                     { return false }

func (l *local) close() {
	l.forker.close()
	l.ks.killGroups()
	l.ks.groups.close()
}

// openDir opens the directory in which a process is to be.
func openDir(name string) (int, error) {
	if name == "" {
		name = "."
	}
	fd, err := unix.Open(name, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &os.PathError{Op: "directory", Path: name, Err: err}
	}
	return fd, nil
}

// fdPath is a name for an open directory, even for one that was removed.
func fdPath(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

func duration(n uint64) time.Duration { return time.Duration(n) }

func flag(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
