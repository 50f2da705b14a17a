package proc

import (
	"os"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// keeper starts all processes from one thread. The signal that a process gets
// when its parent dies comes, on Linux, when the parent's thread dies, so that
// thread must last as long as any process: it belongs to a goroutine that runs
// from the first process to the last.
var keeper forker

type forker struct {
	mu    sync.Mutex
	users int
	jobs  chan func()
	done  chan struct{}
}

func (f *forker) acquire() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.users++; f.users > 1 {
		return
	}
	f.jobs, f.done = make(chan func()), make(chan struct{})
	go f.run(f.jobs, f.done)
}

func (f *forker) release() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.users--; f.users == 0 {
		close(f.jobs)
		<-f.done
	}
}

func (f *forker) run(jobs <-chan func(), done chan<- struct{}) {
	runtime.LockOSThread()
	defer close(done)
	defer runtime.UnlockOSThread()
	for job := range jobs {
		job()
	}
}

// start starts the process of p in a group of its own, to be killed with this
// program. The caller has acquired f.
func (f *forker) start(p *process) error {
	pidfd := -1
	p.exec.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL, PidFD: &pidfd}
	f.mu.Lock()
	jobs := f.jobs
	f.mu.Unlock()
	result := make(chan error)
	jobs <- func() { result <- p.exec.Start() }
	if err := <-result; err != nil {
		return err
	}
	p.wait = func() { awaitEnd(pidfd, p.exec.Process.Pid) }
	return nil
}

// awaitEnd waits for the process to end without reaping it. The descriptor
// becomes readable then, which Go's poller notices without a thread. Where it
// cannot be used, waiting is left to the reaping, which takes one.
func awaitEnd(pidfd, pid int) {
	if pidfd < 0 {
		return
	}
	if unix.SetNonblock(pidfd, true) != nil {
		unix.Close(pidfd)
		return
	}
	f := os.NewFile(uintptr(pidfd), "pidfd")
	defer f.Close()
	conn, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = conn.Read(func(uintptr) bool {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
		return err != nil && err != unix.EINTR || info.Signo != 0
	})
}
