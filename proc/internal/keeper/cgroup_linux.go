package keeper

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// cgroups gives each process a control group (v2) of its own, where this program
// may make them: nothing can leave it, and one write kills all that is in it. A
// nil one gives none.
type cgroups struct {
	dir  string
	lock *os.File // of dir: as long as it is locked, somebody uses it

	mu     sync.Mutex
	made   int
	spare  *cgroup   // made in advance, so that no start waits for it
	stale  []*cgroup // to be removed
	timer  *time.Timer
	closed bool

	tidying sync.Mutex // held by tidy
}

// tidyWait is how long after a start or an end groups are seen to: not in the
// middle of a restart.
const tidyWait = 2 * time.Millisecond

// cgroup is the group of one process. A nil one is none.
//
// None is used twice. Some kernels kill what is started in one that was ever
// killed, and its last user may have changed it.
type cgroup struct {
	path string
	fd   int // until a process was started in it; -1: none
}

const cgroupPrefix = "coppice-"

var cgroupName = regexp.MustCompile(`^coppice-\d+-[0-9a-f]{8}$`)

// openCgroups finds a place for control groups; nil where there is none, or where
// COPPICE_CGROUPS is off.
func openCgroups() *cgroups {
	own := ownCgroup()
	if own == "" || !delegated(own) || os.Getenv("COPPICE_CGROUPS") == "off" {
		return nil
	}
	return openCgroupsIn(own)
}

func openCgroupsIn(own string) *cgroups {
	gs := &cgroups{dir: filepath.Join(own, fmt.Sprintf("%s%d-%08x", cgroupPrefix, os.Getpid(), rand.Uint32()))}
	if os.Mkdir(gs.dir, 0o755) != nil {
		return nil
	}
	var err error
	gs.lock, err = os.Open(gs.dir)
	if err == nil {
		err = unix.Flock(int(gs.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err == nil {
		_, err = os.Stat(filepath.Join(gs.dir, "cgroup.kill"))
	}
	if err != nil {
		gs.lock.Close()
		os.Remove(gs.dir)
		return nil
	}
	sweep(own)
	return gs
}

// ownCgroup is the directory of the group that this process is in.
func ownCgroup() string {
	membership, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return ""
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return ""
	}
	var path string
	for line := range strings.Lines(string(membership)) {
		if p, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			path = p
		}
	}
	for line := range strings.Lines(string(mounts)) {
		before, after, _ := strings.Cut(line, " - ")
		b, a := strings.Fields(before), strings.Fields(after)
		if len(b) < 5 || len(a) < 1 || a[0] != "cgroup2" {
			continue
		}
		if rel, err := filepath.Rel(b[3], path); err == nil && path != "" && !strings.HasPrefix(rel, "..") {
			return filepath.Join(b[4], rel)
		}
	}
	return ""
}

// delegated tells whether groups may be made in dir. Under systemd that takes its
// word: a service has Delegate=yes.
func delegated(dir string) bool {
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return unix.Access(dir, unix.W_OK) == nil
	}
	var b [8]byte
	for _, name := range []string{"user.delegate", "trusted.delegate"} {
		if n, err := unix.Getxattr(dir, name, b[:]); err == nil && string(b[:n]) == "1" {
			return true
		}
	}
	return false
}

// sweep removes what a guardian that was killed has left.
func sweep(own string) {
	stale, _ := filepath.Glob(filepath.Join(own, cgroupPrefix+"*"))
	for _, dir := range stale {
		if !cgroupName.MatchString(filepath.Base(dir)) {
			continue
		}
		f, err := os.Open(dir)
		if err != nil {
			continue
		}
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			removeCgroup(dir, time.Now().Add(100*time.Millisecond))
		}
		f.Close()
	}
}

// removeCgroup kills all in dir and removes it with what is below it.
func removeCgroup(dir string, until time.Time) {
	_ = os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0)
	below, _ := os.ReadDir(dir)
	for _, e := range below {
		if e.IsDir() {
			removeCgroup(filepath.Join(dir, e.Name()), until)
		}
	}
	for {
		err := os.Remove(dir)
		if !errors.Is(err, syscall.EBUSY) || time.Now().After(until) {
			return
		}
		time.Sleep(time.Millisecond) // the last ones are still ending
	}
}

// take returns a new group, or nil. After it comes a tidySoon, when there is time.
func (gs *cgroups) take() *cgroup {
	if gs == nil {
		return nil
	}
	gs.mu.Lock()
	defer gs.mu.Unlock()
	if g := gs.spare; g != nil {
		gs.spare = nil
		return g
	}
	return gs.make()
}

func (gs *cgroups) make() *cgroup {
	gs.made++
	g := &cgroup{path: filepath.Join(gs.dir, strconv.Itoa(gs.made)), fd: -1}
	if os.Mkdir(g.path, 0o755) != nil {
		return nil
	}
	if fd, err := unix.Open(g.path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err == nil {
		g.fd = fd
	}
	return g
}

// give has g removed, soon or when it can be.
func (gs *cgroups) give(g *cgroup) {
	if g == nil {
		return
	}
	g.close()
	gs.mu.Lock()
	gs.stale = append(gs.stale, g)
	gs.mu.Unlock()
	gs.tidySoon()
}

func (gs *cgroups) tidySoon() {
	if gs == nil {
		return
	}
	gs.mu.Lock()
	defer gs.mu.Unlock()
	if gs.timer == nil && !gs.closed {
		gs.timer = time.AfterFunc(tidyWait, gs.tidy)
	}
}

// tidy removes what is not used any more, and has a group ready for the next.
func (gs *cgroups) tidy() {
	gs.tidying.Lock()
	defer gs.tidying.Unlock()
	gs.mu.Lock()
	stale := gs.stale
	gs.stale, gs.timer = nil, nil
	gs.mu.Unlock()
	stale = slices.DeleteFunc(stale, (*cgroup).remove)
	gs.mu.Lock()
	defer gs.mu.Unlock()
	if gs.closed {
		return
	}
	gs.stale = append(gs.stale, stale...)
	if gs.spare == nil {
		gs.spare = gs.make()
	}
}

// remove is false if somebody is still in it.
func (g *cgroup) remove() bool {
	err := os.Remove(g.path)
	if errors.Is(err, syscall.EBUSY) {
		removeCgroup(g.path, time.Time{})
		_, err = os.Stat(g.path)
		return err != nil
	}
	return true
}

// kill kills everybody in every group.
func (gs *cgroups) kill() {
	if gs != nil {
		_ = os.WriteFile(filepath.Join(gs.dir, "cgroup.kill"), []byte("1"), 0)
	}
}

// close kills and removes all groups.
func (gs *cgroups) close() {
	if gs == nil {
		return
	}
	gs.mu.Lock()
	gs.closed = true
	gs.spare.close()
	if gs.timer != nil {
		gs.timer.Stop()
	}
	gs.mu.Unlock()
	gs.tidying.Lock()
	defer gs.tidying.Unlock()
	removeCgroup(gs.dir, time.Now().Add(time.Second))
	gs.lock.Close()
}

// file is a descriptor for fork, and -1 for no group.
func (g *cgroup) file() int {
	if g == nil {
		return -1
	}
	return g.fd
}

func (g *cgroup) close() {
	if g != nil && g.fd >= 0 {
		unix.Close(g.fd)
		g.fd = -1
	}
}

func (g *cgroup) populated() bool {
	b, err := os.ReadFile(filepath.Join(g.path, "cgroup.events"))
	return err != nil || bytes.Contains(b, []byte("populated 1"))
}

// kill is false where it is not possible.
func (g *cgroup) kill() bool {
	if g == nil {
		return false
	}
	return os.WriteFile(filepath.Join(g.path, "cgroup.kill"), []byte("1"), 0) == nil
}

// procs is who is in it, and in groups that they made below it.
func (g *cgroup) procs() []int { return procsBelow(g.path) }

func procsBelow(dir string) []int {
	pids := readPIDs(filepath.Join(dir, "cgroup.procs"))
	below, _ := os.ReadDir(dir)
	for _, e := range below {
		if e.IsDir() {
			pids = append(pids, procsBelow(filepath.Join(dir, e.Name()))...)
		}
	}
	return pids
}
