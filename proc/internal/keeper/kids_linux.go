package keeper

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
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

	garbage *garbage    // of a guardian
	forking atomic.Bool // a start has begun that may be no process yet

	mu     sync.Mutex
	byID   map[uint64]*kid
	byPID  map[int]*kid
	bySlot map[uint64]*kid
}

// kid is a process that leads a group, from its start until it is forgotten.
type kid struct {
	pid       int
	slot      uint64  // its mark
	cgroup    *cgroup // or nil
	gone      bool    // it was reaped, and its pid may be another's
	groupGone bool    // the same for its group
	ended     func(End)
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

// blind tells whether what leaves its group is not known any more.
func (ks *kids) blind() bool { return ks.marks.shift == noMark && ks.groups == nil }

// start forks on the calling thread. ended is called once.
func (ks *kids) start(id uint64, s Spec, dir int, files []uintptr, ended func(End)) (int, error) {
	k := &kid{cgroup: ks.groups.take(), ended: ended}
	ks.takeSlot(k, id)
	ks.marks.set(k.slot)
	pid, pidfd, err := ks.fork(k, s, dir, files)
	ks.forking.Store(false)
	ks.groups.tidySoon() // and not before: it starts a timer
	ks.mu.Lock()
	if err == nil {
		k.pid = pid
		ks.byID[id], ks.byPID[pid] = k, k
	} else {
		delete(ks.bySlot, k.slot)
	}
	ks.mu.Unlock()
	if err != nil {
		ks.groups.give(k.cgroup)
		return 0, err
	}
	ks.watch(k, pidfd)
	return pid, nil
}

// fork tries without a control group if it fails with one.
func (ks *kids) fork(k *kid, s Spec, dir int, files []uintptr) (pid, pidfd int, err error) {
	defer k.cgroup.close()
	if group := k.cgroup.file(); group >= 0 {
		pid, pidfd, err = fork(s, dir, files, group)
		var setup *SetupError
		if err == nil || errors.Is(err, syscall.EAGAIN) || errors.As(err, &setup) && setup.Step != starterStep {
			return pid, pidfd, err
		}
	}
	ks.groups.give(k.cgroup)
	k.cgroup = nil
	return fork(s, dir, files, -1)
}

// takeSlot gives k a mark of its own; if there is none left, none. It does not return
// when all are to be killed.
func (ks *kids) takeSlot(k *kid, id uint64) {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	ks.forking.Store(true)
	if len(ks.bySlot) >= slots {
		return
	}
	k.slot = id%slots + 1
	for ks.bySlot[k.slot] != nil {
		k.slot = k.slot%slots + 1
	}
	ks.bySlot[k.slot] = k
}

// await waits for the process to end without a thread, where that is possible.
func (ks *kids) await(k *kid, pidfd int) {
	for awaitEnd(k.pid, pidfd); !ks.bury(k); awaitEnd(k.pid, -1) {
	}
}

// bury reaps a process that has ended. It does not wait: one that is traced ends
// for its parent when the tracer says so, and then it is false.
func (ks *kids) bury(k *kid) bool {
	var status syscall.WaitStatus
	var usage syscall.Rusage
	ks.mu.Lock()
	n, err := wait4(k.pid, &status, &usage)
	if n == 0 && err == nil {
		ks.mu.Unlock()
		return false
	}
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
	return true
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
		n, err := syscall.Wait4(pid, status, syscall.WNOHANG, usage)
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
		return ks.signalGroup(k, sig)
	case Others:
		return ks.signalMembers(k, sig, func(s stat) bool { return s.pgid != k.pid })
	}
	if sig == syscall.SIGKILL {
		k.cgroup.kill()
	}
	err = ks.signalGroup(k, sig)
	others := func(s stat) bool { return s.pgid != k.pid }
	rest := ks.signalMembers(k, sig, others)
	for tries := 0; sig == syscall.SIGKILL && rest == nil && tries < killTries; tries++ {
		rest = ks.signalMembers(k, sig, others) // one may have been born meanwhile
		if rest == ErrGone {
			rest = nil
			break
		}
	}
	if err == ErrGone || err == nil && rest != ErrGone { // gone are only those who are in neither
		err = rest
	}
	return err
}

const killTries = 10

// signalGroup signals the group by its number, which is the leader's pid, as long
// as the leader has not been reaped: then the number is no other's. Later, its
// members are signalled one by one.
func (ks *kids) signalGroup(k *kid, sig syscall.Signal) error {
	if !k.gone {
		return wake(-k.pid, sig)
	}
	if k.groupEmpty() {
		return ErrGone
	}
	if !procIsOurs() {
		return wake(-k.pid, sig)
	}
	return ks.signalMembers(k, sig, func(s stat) bool { return s.pgid == k.pid })
}

// groupEmpty looks at the group of a leader that has been reaped, unless it was
// empty once.
func (k *kid) groupEmpty() bool {
	if !k.groupGone && syscall.Kill(-k.pid, 0) == syscall.ESRCH {
		k.groupGone = true
	}
	return k.groupGone
}

// wake sends sig to a process or, as kill does, to the group -pid, and wakes up
// who is stopped, unless sig is plain.
func wake(pid int, sig syscall.Signal) error {
	err := syscall.Kill(pid, sig&^plain)
	if err == syscall.ESRCH {
		return ErrGone
	}
	if err == nil && sig != syscall.SIGKILL && sig&plain == 0 {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
	return err
}

// signalMembers signals some of the members, each by a descriptor, which cannot
// mean another process.
func (ks *kids) signalMembers(k *kid, sig syscall.Signal, which func(stat) bool) error {
	err := ErrGone
	for _, s := range ks.members(k) {
		if !which(s) {
			continue
		}
		if e := s.signal(sig); e != ErrGone && (err == ErrGone || err == nil) {
			err = e
		}
	}
	return err
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

// pids is who is alive.
func (ks *kids) pids(id uint64) ([]int, error) {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	k, err := ks.find(id)
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, s := range ks.members(k) {
		pids = append(pids, s.pid)
	}
	return pids, nil
}

// alive looks for as little as it can, and twice before it says that there is
// nobody. What forks and ends faster than one can look leaves corpses, which nobody
// buries meanwhile: while there are more and more of them, somebody is alive.
func (ks *kids) alive(k *kid) int {
	alone := k.gone && k.groupEmpty() // the leader and its group have ended
	switch {
	case !procIsOurs():
		if alone {
			return 0
		}
		return 1
	case ks.reaper && len(ks.orphans()) == 0 && (alone || k.cgroup != nil && !k.cgroup.populated()):
		return 0
	case !ks.reaper && alone:
		return 0
	}
	corpses := ks.corpses(k)
	for range 2 {
		if n := len(ks.members(k)); n > 0 {
			return n
		}
	}
	if ks.corpses(k) > corpses {
		return 1
	}
	return 0
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
