//go:build !linux

package keeper

import (
	"context"
	"errors"
	"os"
	"sync"
	"syscall"
)

func newParent(context.Context) (p parent, warning, err error) {
	return &local{all: make(map[uint64]*os.Process)}, nil, nil
}

// local is the program as the parent of its processes.
type local struct {
	mu  sync.Mutex
	all map[uint64]*os.Process
}

func (l *local) start(_ context.Context, id uint64, s Spec, ended func(End)) (int, error) {
	null, err := s.openNull()
	if err != nil {
		return 0, err
	}
	defer null.Close()
	p, err := os.StartProcess(s.Path, s.Args, &os.ProcAttr{Dir: s.Dir, Env: s.Env, Files: s.Files, Sys: ownGroup()})
	if err != nil {
		return 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all[id] = p
	go func() {
		state, err := p.Wait()
		end := End{Code: -1, Err: err}
		if err == nil {
			end.Code, end.User, end.Sys = state.ExitCode(), state.UserTime(), state.SystemTime()
			if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
				end.Signal, end.Core = status.Signal(), status.CoreDump()
			}
		}
		end.Left = groupAlive(p.Pid)
		ended(end)
	}()
	return p.Pid, nil
}

func (l *local) find(id uint64) *os.Process {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all[id]
}

func (l *local) signal(id uint64, sig syscall.Signal, to Scope) error {
	p := l.find(id)
	sig &^= plain
	switch {
	case p == nil || to == Others:
		return ErrGone
	case to == Leader:
		return p.Signal(sig)
	}
	return signalGroup(p, sig)
}

func (l *local) left(id uint64) (int, error) {
	if p := l.find(id); p != nil && groupAlive(p.Pid) {
		return 1, nil
	}
	return 0, nil
}

func (l *local) members(uint64) ([]int, error) { return nil, errors.ErrUnsupported }

func (l *local) forget(id uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.all, id)
}

func (l *local) broken() bool { return false }
func (l *local) close()       {}
