package keeper

import (
	"runtime"
	"sync"
	"syscall"
)

// forker starts processes from one thread, for the reason that serveStarts has.
type forker struct {
	mu     sync.Mutex
	more   sync.Cond
	jobs   []func()
	closed bool
	done   chan struct{}
}

func newForker() *forker {
	f := &forker{done: make(chan struct{})}
	f.more.L = &f.mu
	go f.run()
	return f
}

func (f *forker) run() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(f.done)
	for job := f.next(); job != nil; job = f.next() {
		job()
	}
}

// next is nil when there will be no more.
func (f *forker) next() func() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.jobs) == 0 && !f.closed {
		f.more.Wait()
	}
	if len(f.jobs) == 0 {
		return nil
	}
	job := f.jobs[0]
	f.jobs = f.jobs[1:]
	return job
}

// do does the job, unless f is closed.
func (f *forker) do(job func()) bool {
	done := make(chan struct{})
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return false
	}
	f.jobs = append(f.jobs, func() {
		defer close(done)
		job()
	})
	f.more.Signal()
	f.mu.Unlock()
	<-done
	return true
}

func (f *forker) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	f.more.Signal()
}

// fork starts s in a group of its own. It must be called from a thread that
// outlives the process. dir, unless it is -1, is an open directory to be in.
func fork(s Spec, dir int, files []uintptr, cgroup int) (pid, pidfd int, err error) {
	if s.Setup != nil {
		return forkStarter(s, dir, files, cgroup)
	}
	return forkExec(s, dir, files, cgroup)
}

func forkExec(s Spec, dir int, files []uintptr, cgroup int) (pid, pidfd int, err error) {
	pidfd = -1
	attr := &syscall.ProcAttr{
		Dir: s.Dir, Env: s.Env, Files: files,
		Sys: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL, PidFD: &pidfd},
	}
	if dir >= 0 {
		attr.Dir = fdPath(dir)
	}
	if cgroup >= 0 {
		attr.Sys.UseCgroupFD, attr.Sys.CgroupFD = true, cgroup
	}
	pid, _, err = syscall.StartProcess(s.Path, s.Args, attr)
	return pid, pidfd, err
}
