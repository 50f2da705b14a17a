package keeper

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// kids are the processes of which this process is the parent.
type kids struct {
	reaper bool // what they leave behind falls to this process
	marks  marks
	groups *cgroups
	watch  func(k *kid, pidfd int) // sees to it that k is buried when it has ended

	mu     sync.Mutex
	byID   map[uint64]*kid
	byPID  map[int]*kid
	bySlot map[uint64]*kid
}

// kid is a process that leads a group, from its start until it is forgotten.
type kid struct {
	pid    int
	slot   uint64  // its mark
	cgroup *cgroup // or nil
	gone   bool    // it was reaped, and its pid may be another's
	ended  func(End)
}

func newKids(reaper bool) *kids {
	ks := &kids{
		reaper: reaper, marks: marks{shift: noMark}, groups: openCgroups(),
		byID: make(map[uint64]*kid), byPID: make(map[int]*kid), bySlot: make(map[uint64]*kid),
	}
	if reaper {
		ks.marks = readMarks()
	}
	ks.watch = func(k *kid, pidfd int) { go ks.await(k, pidfd) }
	return ks
}

// start forks on the calling thread. ended is called once.
func (ks *kids) start(id uint64, s Spec, dir int, files []uintptr, ended func(End)) (int, error) {
	k := &kid{cgroup: ks.groups.take(), ended: ended}
	ks.mu.Lock()
	k.slot = ks.freeSlot(id)
	ks.marks.set(k.slot)
	pid, pidfd, err := k.fork(s, dir, files)
	if err != nil && k.cgroup != nil && !errors.Is(err, syscall.EAGAIN) { // it may be the group's fault
		ks.groups.give(k.cgroup)
		k.cgroup = nil
		pid, pidfd, err = k.fork(s, dir, files)
	}
	if err == nil {
		k.pid = pid
		ks.byID[id], ks.byPID[pid], ks.bySlot[k.slot] = k, k, k
	}
	ks.mu.Unlock()
	if err != nil {
		ks.groups.give(k.cgroup)
		return 0, err
	}
	ks.watch(k, pidfd)
	return pid, nil
}

func (k *kid) fork(s Spec, dir int, files []uintptr) (pid, pidfd int, err error) {
	group := k.cgroup.open()
	if group < 0 {
		k.cgroup = nil
	} else {
		defer unix.Close(group)
	}
	return fork(s, dir, files, group)
}

// freeSlot is 0, which marks nothing, if all are taken.
func (ks *kids) freeSlot(id uint64) uint64 {
	if len(ks.bySlot) >= slots {
		return 0
	}
	slot := id%slots + 1
	for ks.bySlot[slot] != nil {
		slot = slot%slots + 1
	}
	return slot
}

// await waits for the process to end without a thread, where that is possible.
func (ks *kids) await(k *kid, pidfd int) {
	awaitEnd(k.pid, pidfd)
	ks.bury(k)
}

// bury reaps a process that has ended.
func (ks *kids) bury(k *kid) {
	var status syscall.WaitStatus
	var usage syscall.Rusage
	ks.mu.Lock()
	_, err := wait4(k.pid, &status, &usage)
	k.gone = true
	left := ks.alive(k) > 0
	ks.mu.Unlock()
	end := End{Code: -1, Left: left}
	if err != nil {
		end.Err = os.NewSyscallError("wait4", err)
	} else {
		end.read(status, &usage)
	}
	k.ended(end)
}

func (e *End) read(status syscall.WaitStatus, usage *syscall.Rusage) {
	e.Code = status.ExitStatus()
	if status.Signaled() {
		e.Signal, e.Core = status.Signal(), status.CoreDump()
	}
	e.User, e.Sys = time.Duration(usage.Utime.Nano()), time.Duration(usage.Stime.Nano())
	e.MaxRSS = int64(usage.Maxrss) << 10
}

func wait4(pid int, status *syscall.WaitStatus, usage *syscall.Rusage) (int, error) {
	for {
		n, err := syscall.Wait4(pid, status, 0, usage)
		if err != syscall.EINTR {
			return n, err
		}
	}
}

// awaitEnd waits for the process to end without reaping it. The descriptor
// becomes readable then, which Go's poller notices without a thread. Where it
// cannot be used, a thread waits.
func awaitEnd(pid, pidfd int) {
	ended := func(flags int) bool {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT|flags, nil)
		return err != nil && err != unix.EINTR || info.Signo != 0
	}
	if pidfd >= 0 {
		if unix.SetNonblock(pidfd, true) == nil {
			f := os.NewFile(uintptr(pidfd), "pidfd")
			defer f.Close()
			if conn, err := f.SyscallConn(); err == nil {
				_ = conn.Read(func(uintptr) bool { return ended(unix.WNOHANG) })
			}
		} else {
			unix.Close(pidfd)
		}
	}
	for !ended(0) {
	}
}

func (ks *kids) find(id uint64) (*kid, error) {
	if k := ks.byID[id]; k != nil {
		return k, nil
	}
	return nil, ErrGone
}

func (ks *kids) signal(id uint64, sig syscall.Signal, to Scope) error {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	k, err := ks.find(id)
	if err != nil {
		return err
	}
	switch to {
	case Leader:
		if k.gone {
			return ErrGone
		}
		return wake(k.pid, sig)
	case Group:
		return wake(-k.pid, sig)
	case Others:
		return ks.signalOthers(k, sig)
	default:
		if sig == syscall.SIGKILL && k.cgroup.kill() {
			return nil
		}
		return errors.Join(ks.signalOthers(k, sig), wake(-k.pid, sig))
	}
}

// wake sends sig to a process or, as kill does, to the group -pid, and wakes up
// who is stopped.
//
// The group's number is the leader's pid. It is not given to another process
// while a member of the group lives, and the system hands out numbers in turn, so
// one that has just become free is not given away between a look and a signal.
func wake(pid int, sig syscall.Signal) error {
	err := syscall.Kill(pid, sig)
	if err == syscall.ESRCH {
		return ErrGone
	}
	if err == nil && sig != syscall.SIGKILL {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
	return err
}

// signalOthers signals those outside the group, each by a descriptor, which
// cannot mean another process.
func (ks *kids) signalOthers(k *kid, sig syscall.Signal) error {
	var first error
	for _, s := range ks.members(k) {
		if s.pgid == k.pid {
			continue
		}
		if err := s.signal(sig); err != nil && err != syscall.ESRCH && first == nil {
			first = err
		}
	}
	return first
}

// left tells how many are alive.
func (ks *kids) left(id uint64) (int, error) {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	k, err := ks.find(id)
	if err != nil {
		return 0, err
	}
	return ks.alive(k), nil
}

// alive looks for as little as it can, and twice before it says that there is
// nobody, because a process may fork and end while it looks.
func (ks *kids) alive(k *kid) int {
	if k.cgroup != nil && !k.cgroup.populated() {
		return 0
	}
	if k.gone && syscall.Kill(-k.pid, 0) == syscall.ESRCH && (!ks.reaper || len(ks.orphans()) == 0) {
		return 0
	}
	if n := len(ks.members(k)); n > 0 {
		return n
	}
	return len(ks.members(k))
}

func (ks *kids) forget(id uint64) {
	ks.mu.Lock()
	k := ks.byID[id]
	if k != nil {
		delete(ks.byID, id)
		delete(ks.bySlot, k.slot)
		if ks.byPID[k.pid] == k {
			delete(ks.byPID, k.pid)
		}
	}
	ks.mu.Unlock()
	if k != nil {
		ks.groups.give(k.cgroup)
	}
}
