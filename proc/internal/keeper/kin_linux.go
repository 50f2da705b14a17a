package keeper

import (
	"os"
	"strconv"
	"syscall"
)

// members is what is alive of a process and all that descends from it.
func (ks *kids) members(k *kid) []stat {
	if k.cgroup != nil {
		return living(k.cgroup.procs())
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
	} else {
		for _, pid := range everyone() {
			if s, ok := readStat(pid); ok && s.pgid == k.pid {
				roots = append(roots, pid)
			}
		}
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
	self := os.Getpid()
	if childrenListed() {
		n := strconv.Itoa(self)
		return readPIDs("/proc/" + n + "/task/" + n + "/children")
	}
	var pids []int
	for _, pid := range childrenOf(self) {
		if ks.byPID[pid] == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// whose tells from which process an orphan descends, by the mark; without marks
// by the group and the session; and if there is only one process, it is that.
func (ks *kids) whose(pid int) *kid {
	s, ok := readStat(pid)
	if !ok || s.zombie {
		return nil
	}
	if slot := ks.marks.slot(pid); slot != 0 {
		k := ks.bySlot[slot]
		if k == nil { // it slipped through when the others were looked for
			_ = s.signal(syscall.SIGKILL)
		}
		return k
	}
	if k := ks.byPID[s.pgid]; k != nil {
		return k
	}
	if k := ks.byPID[s.sid]; k != nil {
		return k
	}
	if len(ks.byID) == 1 {
		for _, k := range ks.byID {
			return k
		}
	}
	return nil
}

// reapOrphans buries those that have ended.
func (ks *kids) reapOrphans() {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	for _, pid := range ks.orphans() {
		_, _ = syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
	}
}

// killAll kills whatever descends from this process, until there is nothing.
func (ks *kids) killAll() {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	ks.groups.kill()
	for {
		self := os.Getpid()
		for _, s := range living(descendants(childrenOf(self))) {
			_ = s.signal(syscall.SIGKILL)
		}
		for flags := 0; ; { // one at least, and whoever else has ended
			pid, err := syscall.Wait4(-1, nil, flags, nil)
			if err == syscall.ECHILD {
				return
			}
			if pid > 0 {
				flags = syscall.WNOHANG
			} else if err != syscall.EINTR {
				break
			}
		}
	}
}
