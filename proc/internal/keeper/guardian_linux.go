package keeper

import (
	"encoding/binary"
	"errors"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	guardianName = "coppice-guardian"
	nullFD       = 0
	guardianFD   = 3 // all but starts
	startsFD     = 4
)

// A program that is started under the guardian's name, by itself, is the
// guardian: nothing of main runs, and of the init functions only those of
// packages that come before this one.
func init() {
	if len(os.Args) != 2 || os.Args[0] != guardianName {
		return
	}
	if t, err := unix.GetsockoptInt(guardianFD, unix.SOL_SOCKET, unix.SO_TYPE); err != nil || t != unix.SOCK_SEQPACKET {
		return
	}
	guard()
}

// guard does what the program says until it is gone, and then kills everything.
// One thread starts processes and buries them, one does all else that is asked for,
// and the main thread buries orphans: as it starts no process, all of its children
// are such.
func guard() {
	runtime.LockOSThread()
	if !trustworthy() {
		syscall.Exit(1)
	}
	closeInherited()
	_ = os.WriteFile("/proc/self/comm", []byte("coppice-guard"), 0)
	reaper := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == nil
	// Caught, not ignored: what is ignored stays so in the processes it starts.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGPIPE,
		syscall.SIGALRM, syscall.SIGVTALRM, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGXCPU, syscall.SIGIO, syscall.SIGPWR,
		syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGCONT)
	ks := newKids(reaper)
	ks.garbage = newGarbage()
	l, err := newLoops()
	if err != nil {
		syscall.Exit(1)
	}
	ks.watch = func(k *kid, pidfd int) {
		ended := func() {
			if !ks.bury(k) {
				go ks.await(k, -1)
			}
		}
		if !l.add(pidfd, ended) {
			go ks.await(k, pidfd)
		}
	}
	end := sync.OnceFunc(func() {
		ks.killAll()
		ks.groups.close()
		syscall.Exit(0)
	})
	for _, serve := range []func(*loops) error{ks.serveStarts, ks.serve} {
		go func() {
			runtime.LockOSThread()
			_ = serve(l)
			end()
		}()
	}
	ks.buryOrphans()
}

// trustworthy is false where a guardian would do harm: where /proc tells of other
// processes than it seems, and where executing the program has given it rights
// that the program itself has laid down, or never had.
func trustworthy() bool {
	peer, err := unix.GetsockoptUcred(guardianFD, unix.SOL_SOCKET, unix.SO_PEERCRED)
	return err == nil && int(peer.Uid) == os.Geteuid() && int(peer.Gid) == os.Getegid() &&
		os.Getuid() == os.Geteuid() && os.Getgid() == os.Getegid() && !secure() && procIsOurs()
}

// secure tells whether this process was given rights by the file that it
// executes.
func secure() bool {
	const (
		atSecure = 23
		word     = int(unsafe.Sizeof(uintptr(0)))
	)
	b, err := os.ReadFile("/proc/self/auxv")
	if err != nil {
		return true
	}
	read := func(b []byte) uint64 {
		if word == 4 {
			return uint64(binary.NativeEndian.Uint32(b))
		}
		return binary.NativeEndian.Uint64(b)
	}
	for ; len(b) >= 2*word; b = b[2*word:] {
		if read(b) == atSecure {
			return read(b[word:]) != 0
		}
	}
	return true
}

// closeInherited closes what the program had from its own parent and did not
// mean for anybody else. What this process has opened itself stays: it is to be
// closed when another program is executed.
func closeInherited() {
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	for _, name := range names {
		fd, err := strconv.Atoi(name)
		if err != nil || fd <= startsFD || fd == int(dir.Fd()) {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			unix.Close(fd)
		}
	}
	unix.CloseOnExec(guardianFD)
	unix.CloseOnExec(startsFD)
}

// serve carries out what the program says.
func (ks *kids) serve(l *loops) error {
	hello := newMessage(msgHello, flag(ks.blind()))
	hello.place(here())
	if err := send(guardianFD, hello); err != nil {
		return err
	}
	r := newReceiver()
	for {
		if err := l.awaitMain(); err != nil {
			return err
		}
		k, m, err := r.receive(guardianFD)
		if err == nil {
			err = ks.obey(k, m)
			ks.garbage.collect()
		}
		if err != nil {
			return err
		}
	}
}

// serveStarts starts processes, one after the other, on a thread that lives as
// long as this process: the signal that they get when their parent dies comes, on
// Linux, when its thread dies. A start can take long, on a file system that does
// not answer; others wait for it, and nobody else.
func (ks *kids) serveStarts(l *loops) error {
	// They inherit what it blocks, which is what whoever started the program did.
	_ = unix.PthreadSigmask(unix.SIG_SETMASK, &unix.Sigset_t{}, nil)
	tighten(os.Args[1])
	r := newReceiver()
	for {
		if err := l.awaitStart(); err != nil {
			return err
		}
		k, m, err := r.receive(startsFD)
		if err == nil && k != msgStart {
			err = errMessage
		}
		if err == nil {
			err = ks.startFor(m.readUint(), m)
			ks.garbage.collect()
		}
		if err == nil {
			err = l.started()
		}
		if err != nil {
			return err
		}
	}
}

func (ks *kids) obey(k kind, m *message) error {
	id := m.readUint()
	var answer *message
	switch k {
	case msgSignal:
		call, sig, to := m.readUint(), m.readUint(), m.readUint()
		answer = newMessage(msgAnswer, call, number(ks.signal(id, syscall.Signal(sig), Scope(to))), 0)
	case msgLeft:
		call := m.readUint()
		n, err := ks.left(id)
		answer = newMessage(msgAnswer, call, number(err), uint64(n))
	case msgMembers:
		call := m.readUint()
		pids, err := ks.pids(id)
		answer = newMessage(msgAnswer, call, number(err), uint64(len(pids)))
		for _, pid := range pids {
			answer.int(pid)
		}
	case msgForget:
		for ks.forget(id); len(m.b) > 0; {
			ks.forget(m.readUint())
		}
		return nil
	}
	if answer == nil || m.bad {
		return errMessage
	}
	return send(guardianFD, answer)
}

// room is how many descriptors a guardian keeps free, to be able to look at
// processes: a quarter of what it may have, if that is less.
func room(limit uint64) uint64 { return min(32, limit/4) }

// startFor starts a process and answers.
func (ks *kids) startFor(id uint64, m *message) error {
	defer m.closeFiles()
	call := m.readUint()
	answer := func(pid int, err error) error {
		return send(startsFD, newMessage(msgAnswer, call, number(err), uint64(pid)).fault(err))
	}
	// The lowest free descriptor is always the next, so those above are free.
	var limit unix.Rlimit
	if m.cut || unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil && len(m.files) > 0 && uint64(slices.Max(m.files))+room(limit.Cur) >= limit.Cur {
		return answer(0, syscall.EMFILE)
	}
	hasDir, hasFirst := m.readUint() != 0, m.readUint() != 0
	s := m.readSpec()
	if m.bad || hasDir && len(m.files) == 0 {
		return errMessage
	}
	dir, rest := -1, m.files
	if hasDir {
		dir, rest = m.files[0], m.files[1:]
	}
	var files []uintptr
	if !hasFirst {
		files = append(files, nullFD)
	}
	for _, fd := range rest {
		files = append(files, uintptr(fd))
	}
	ks.garbage.starting.Lock()
	pid, err := ks.start(id, s, dir, files, func(e End) { _ = send(guardianFD, e.message(id)) })
	ks.garbage.starting.Unlock()
	return answer(pid, err)
}

func (e End) message(id uint64) *message {
	return newMessage(msgEnded, id, uint64(e.Code+1), uint64(e.Signal), flag(e.Core), uint64(e.User), uint64(e.Sys),
		uint64(e.MaxRSS), flag(e.Left), number(e.Err))
}

func (m *message) readEnd() End {
	e := End{Code: int(m.readUint()) - 1, Signal: syscall.Signal(m.readUint()), Core: m.readUint() != 0}
	e.User, e.Sys = duration(m.readUint()), duration(m.readUint())
	e.MaxRSS, e.Left = int64(m.readUint()), m.readUint() != 0
	e.Err = numbered(m.readUint())
	return e
}

const gone = 1 << 16 // ErrGone as a number: no errno is that high

// number makes an error a number that numbered makes an error again.
func number(err error) uint64 {
	var errno syscall.Errno
	switch {
	case err == nil:
		return 0
	case errors.Is(err, ErrGone):
		return gone
	case errors.As(err, &errno):
		return uint64(errno)
	}
	return uint64(syscall.EIO)
}

func numbered(n uint64) error {
	switch n {
	case 0:
		return nil
	case gone:
		return ErrGone
	}
	return syscall.Errno(n)
}
