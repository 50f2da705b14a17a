package keeper

import (
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// lastSteps are those for which there may be room for nothing, neither a byte nor a
// thread: the limits, and what comes after them. All they need is here before the
// first of them; while they are taken nothing but system calls is made, on one
// thread, and nobody else runs.
type lastSteps struct {
	limits     []lastLimit
	credential *Credential
	same       bool // it is that user and group already
	path       *byte
	argv, envv []*byte
}

type lastLimit struct {
	resource uintptr
	value    syscall.Rlimit
}

func (s Spec) lastSteps() (l lastSteps, err error) {
	for _, r := range s.Setup.Limits {
		l.limits = append(l.limits, lastLimit{uintptr(r.Resource), syscall.Rlimit{Cur: r.Soft, Max: r.Hard}})
	}
	if c := s.Setup.Credential; c != nil {
		l.credential, l.same = c, int(c.UID) == os.Getuid() && int(c.GID) == os.Getgid()
	}
	if l.path, err = syscall.BytePtrFromString(s.Path); err != nil {
		return l, err
	}
	if l.argv, err = syscall.SlicePtrFromStrings(s.Args); err != nil {
		return l, err
	}
	l.envv, err = syscall.SlicePtrFromStrings(s.Env)
	return l, err
}

//go:nosplit
//go:norace
func (l *lastSteps) limit() fault {
	for i := range l.limits {
		r := &l.limits[i]
		_, _, e := syscall.RawSyscall6(unix.SYS_PRLIMIT64, 0, r.resource, uintptr(unsafe.Pointer(&r.value)), 0, 0, 0)
		if e != 0 {
			return fault{stepLimit, uint32(i) + 1, e}
		}
	}
	return fault{}
}

// become changes who the calling thread is, the first of the process, and the one
// that goes on.
//
//go:nosplit
//go:norace
func (l *lastSteps) become() fault {
	c := l.credential
	if c == nil {
		return fault{}
	}
	groups := unsafe.Pointer(unsafe.SliceData(c.Groups))
	_, _, e := syscall.RawSyscall(sysSetgroups, uintptr(len(c.Groups)), uintptr(groups), 0)
	if e != 0 && (e != syscall.EPERM || !l.same) {
		return fault{stepGroups, 0, e}
	}
	if _, _, e = syscall.RawSyscall(sysSetresgid, uintptr(c.GID), uintptr(c.GID), uintptr(c.GID)); e != 0 {
		return fault{stepGID, 0, e}
	}
	if _, _, e = syscall.RawSyscall(sysSetresuid, uintptr(c.UID), uintptr(c.UID), uintptr(c.UID)); e != 0 {
		return fault{stepUID, 0, e}
	}
	// It is forgotten when the user changes.
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0)
	here := [...]byte{'.', 0}
	if _, _, e = syscall.RawSyscall(syscall.SYS_CHDIR, uintptr(unsafe.Pointer(&here)), 0, 0); e != 0 {
		return fault{stepDir, 0, e}
	}
	return fault{}
}

// exec returns only if it fails.
//
//go:nosplit
//go:norace
func (l *lastSteps) exec() fault {
	_, _, e := syscall.RawSyscall(syscall.SYS_EXECVE, uintptr(unsafe.Pointer(l.path)),
		uintptr(unsafe.Pointer(unsafe.SliceData(l.argv))), uintptr(unsafe.Pointer(unsafe.SliceData(l.envv))))
	return fault{stepExec, 0, e}
}

// tell ends the process.
//
//go:nosplit
//go:norace
func (f fault) tell(fd int) {
	b := [faultSize / 4]uint32{f.step, f.index, uint32(f.errno)}
	_, _, _ = syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&b)), faultSize)
	for {
		_, _, _ = syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 1, 0, 0)
	}
}
