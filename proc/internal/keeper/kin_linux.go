package keeper

import (
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// members is what is alive of a process and all that descends from it.
func (ks *kids) members(k *kid) []stat {
	if !procIsOurs() {
		return nil
	}
	var roots []int
	if !k.gone {
		roots = append(roots, k.pid)
	}
	if ks.reaper {
		for _, pid := range ks.orphans() {
			if ks.whose(pid) == k {
				roots = append(roots, pid)
			}
		}
	} else if !k.groupGone {
		for _, pid := range everyone() {
			if s, ok := readStat(pid); ok && s.pgid == k.pid {
				roots = append(roots, pid)
			}
		}
	}
	if k.cgroup != nil {
		roots = append(roots, k.cgroup.procs()...)
	}
	return living(descendants(roots))
}

func living(pids []int) []stat {
	var all []stat
	for _, pid := range pids {
		if s, ok := readStat(pid); ok && !s.zombie {
			all = append(all, s)
		}
	}
	return all
}

// descendants returns roots and all below them.
func descendants(roots []int) []int {
	seen := make(map[int]bool)
	var all []int
	for len(roots) > 0 {
		pid := roots[len(roots)-1]
		roots = roots[:len(roots)-1]
		if !seen[pid] {
			seen[pid] = true
			all = append(all, pid)
			roots = append(roots, childrenOf(pid)...)
		}
	}
	return all
}

// orphans is what fell to this process because its parent has ended. The system
// hands such a process to the main thread, which starts none itself.
func (ks *kids) orphans() []int {
	if list := ownList(); list >= 0 && childrenListed() {
		b, _ := readAll(list)
		return parsePIDs(b)
	}
	var pids []int
	for _, pid := range childrenOf(os.Getpid()) {
		if ks.byPID[pid] == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// ownList is the main thread's list of children. It stays open, as it is read at each
// end of a process.
var ownList = sync.OnceValue(func() int {
	self := strconv.Itoa(os.Getpid())
	fd, err := unix.Open("/proc/"+self+"/task/"+self+"/children", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1
	}
	return fd
})

// whose tells from which process an orphan descends, by the mark; without marks
// by the group; and if there is only one process, it is that.
func (ks *kids) whose(pid int) *kid {
	s, ok := readStat(pid)
	if !ok || s.zombie {
		return nil
	}
	return ks.owner(s)
}

// corpses counts the orphans of k that have ended.
func (ks *kids) corpses(k *kid) (n int) {
	if !ks.reaper {
		return 0
	}
	for _, pid := range ks.orphans() {
		if s, ok := readStat(pid); ok && s.zombie && ks.owner(s) == k {
			n++
		}
	}
	return n
}

// owner is whose for a process that was read. One that has ended has its mark still.
func (ks *kids) owner(s stat) *kid {
	if slot := ks.marks.slot(s.pid); slot != 0 {
		k := ks.bySlot[slot]
		if k == nil { // it slipped through when the others were looked for
			_ = s.signal(syscall.SIGKILL)
		}
		return k
	}
	if k := ks.byPID[s.pgid]; k != nil && !k.groupGone {
		return k
	}
	if len(ks.byID) == 1 {
		for _, k := range ks.byID {
			return k
		}
	}
	return nil
}

const (
	orphanLook = time.Millisecond
	orphanRest = time.Minute
)

// buryOrphans buries orphans that have ended, for ever. The main thread calls it.
// While there is none it sleeps, and the signal that it gets at such an end wakes
// it up; those of other processes go to the thread that started them. An orphan
// that comes and ends in the moment before it sleeps is found at the next look:
// the first is soon, and the last ones are far between.
func (ks *kids) buryOrphans() {
	for sleep := orphanLook; ; {
		ks.reapOrphans()
		var info unix.Siginfo
		err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOWAIT|unix.WNOTHREAD, nil)
		if err == nil || err == unix.EINTR {
			sleep = orphanLook
			continue
		}
		timeout := unix.NsecToTimespec(int64(sleep))
		_, err = unix.Ppoll(nil, &timeout, nil)
		if sleep = min(2*sleep, orphanRest); err == unix.EINTR {
			sleep = orphanLook
		}
	}
}

func (ks *kids) reapOrphans() {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	for {
		if n, err := syscall.Wait4(-1, nil, syscall.WNOHANG|unix.WNOTHREAD, nil); n <= 0 || err != nil {
			return
		}
	}
}

// killGroups kills what is known without a look.
func (ks *kids) killGroups() {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	for _, k := range ks.byPID {
		if !k.gone {
			_ = syscall.Kill(-k.pid, syscall.SIGKILL)
			_ = syscall.Kill(k.pid, syscall.SIGKILL)
		}
	}
	ks.groups.kill()
}

// forkWait is how long a start that has begun may take to become a process.
const forkWait = time.Second

// killAll kills whatever descends from this process, until there is nothing, and keeps
// the lock: what was asked for last is not started any more. It begins with what takes
// neither a descriptor nor a readable /proc.
func (ks *kids) killAll() {
	ks.killGroups()
	ks.mu.Lock()
	begun := time.Now()
	for wait := time.Millisecond; ; wait = min(2*wait, 10*time.Millisecond) {
		forking := ks.forking.Load() // before it is looked what there is
		children := childrenOf(os.Getpid())
		for _, pid := range children { // not reaped, so it is nobody else
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		for _, s := range living(descendants(children)) {
			_ = s.signal(syscall.SIGKILL)
		}
		for {
			pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
			if err == syscall.ECHILD && (!forking || time.Since(begun) > forkWait) {
				return
			}
			if pid <= 0 && err != syscall.EINTR {
				break
			}
		}
		time.Sleep(wait)
	}
}
