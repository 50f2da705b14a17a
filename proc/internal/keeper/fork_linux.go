package keeper

import (
	"runtime"
	"sync"
	"syscall"
)

// forker starts processes from one thread. The signal that a process gets when
// its parent dies comes, on Linux, when the parent's thread dies, so that thread
// must last as long as any process.
type forker struct {
	jobs chan func()
	done chan struct{}
	once sync.Once
}

func newForker() *forker {
	f := &forker{jobs: make(chan func()), done: make(chan struct{})}
	go f.run()
	return f
}

func (f *forker) run() {
	runtime.LockOSThread()
	defer close(f.done)
	defer runtime.UnlockOSThread()
	for job := range f.jobs {
		job()
	}
}

func (f *forker) do(job func()) {
	done := make(chan struct{})
	f.jobs <- func() {
		defer close(done)
		job()
	}
	<-done
}

func (f *forker) close() {
	f.once.Do(func() { close(f.jobs) })
	<-f.done
}

// fork starts s in a group of its own. It must be called from a thread that
// outlives the process. dir, unless it is -1, is an open directory to be in.
func fork(s Spec, dir int, files []uintptr, cgroup int) (pid, pidfd int, err error) {
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
