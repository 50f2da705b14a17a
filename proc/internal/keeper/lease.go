package keeper

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// shared is the one parent of all processes of this program, while somebody
// holds it.
var shared = struct {
	launch chan struct{} // full while a parent is made, which may take a while

	mu     sync.Mutex
	users  int
	parent parent
}{launch: make(chan struct{}, 1)}

var lastID atomic.Uint64

// Hold keeps the parent of processes in being until release is called.
func Hold() (release func()) {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	shared.users++
	return sync.OnceFunc(func() {
		if p := letGo(); p != nil {
			p.close()
		}
	})
}

// letGo returns the parent that nobody holds any more.
func letGo() parent {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	shared.users--
	if shared.users > 0 {
		return nil
	}
	p := shared.parent
	shared.parent = nil
	return p
}

// Start starts a process. It is ErrGone if nobody is holding. warn is told why what
// leaves its group may be left behind: no guardian could be started, or it cannot
// tell.
func Start(s Spec, warn func(error)) (*Process, error) {
	return start(context.Background(), s, warn)
}

func start(ctx context.Context, s Spec, warn func(error)) (*Process, error) {
	parent, warning, err := current(ctx)
	if err != nil {
		return nil, err
	}
	if warning != nil {
		warn(warning)
	}
	p := &Process{Began: time.Now(), id: lastID.Add(1), parent: parent, ended: make(chan struct{})}
	p.PID, err = parent.start(ctx, p.id, s, func(e End) {
		p.end = e
		close(p.ended)
	})
	var errno syscall.Errno
	if errors.As(err, &errno) && err == error(errno) {
		err = &os.PathError{Op: "fork/exec", Path: s.Path, Err: errno}
	}
	var setup *SetupError
	if errors.As(err, &setup) {
		setup.name(s.Setup)
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// current is the parent in being; one that is broken is replaced.
func current(ctx context.Context) (p parent, warning, err error) {
	select {
	case shared.launch <- struct{}{}:
		defer func() { <-shared.launch }()
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	}
	p, old, err := standing()
	if old != nil {
		old.close()
	}
	if p != nil || err != nil {
		return p, nil, err
	}
	if p, warning, err = newParent(ctx); err != nil {
		return nil, nil, err
	}
	shared.mu.Lock()
	held := shared.users > 0
	if held {
		shared.parent = p
	}
	shared.mu.Unlock()
	if !held {
		p.close()
		return nil, nil, ErrGone
	}
	return p, warning, nil
}

// standing returns the parent there is, or a broken one that is to be closed.
func standing() (p, old parent, err error) {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.users == 0 {
		return nil, nil, ErrGone
	}
	if shared.parent != nil && shared.parent.broken() {
		old, shared.parent = shared.parent, nil
	}
	return shared.parent, old, nil
}
