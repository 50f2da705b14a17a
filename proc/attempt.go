package proc

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/coppice-go/coppice/actor"
)

// attempt is a start, and what is opened for it.
type attempt struct {
	p        *process
	files    []*os.File // what the process gets
	sockets  []*os.File // of these: copies, which are closed in any case
	releases []func()   // what else is to be done if the start fails, the last first

	mu    sync.Mutex
	doing string // the field whose user code is called
}

// open opens all that the process gets, or nothing. User code may fail in any way. If
// it has not returned when ctx ends it is given up: what it opens later is released.
func (a *attempt) open(ctx context.Context) error {
	err, givenUp := a.bounded(ctx)
	if givenUp {
		return fmt.Errorf("%s: does not return: %w", a.doingNow(), actor.ErrStuck)
	}
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		a.end(false)
	}
	return err
}

// bounded saves the goroutine where there is no user code to call.
func (a *attempt) bounded(ctx context.Context) (err error, givenUp bool) {
	if !a.p.cmd.opens() {
		returned := false
		defer func() {
			if !returned { // the logger called runtime.Goexit
				a.undo()
			}
		}()
		err, returned = a.openAll(ctx), true
		return err, false
	}
	opened, left := make(chan error), make(chan struct{})
	go func() {
		err := actor.ErrGoexit
		defer func() {
			if err == actor.ErrGoexit {
				err = fmt.Errorf("%s: %w", a.doingNow(), err)
			}
			select {
			case opened <- err:
			case <-left:
				a.undo()
			}
		}()
		err = a.openAll(ctx)
	}()
	select {
	case err = <-opened:
		return err, false
	case <-ctx.Done():
	}
	timer := time.NewTimer(killWait)
	defer timer.Stop()
	select {
	case err = <-opened:
		return err, false
	case <-timer.C:
		close(left)
		return nil, true
	}
}

// opens tells whether user code opens something.
func (c *Command) opens() bool {
	_, stdout := c.Stdout.(Opener)
	_, stderr := c.Stderr.(Opener)
	return stdout || stderr || c.Stdin != nil || len(c.Sockets) > 0
}

func (a *attempt) openAll(ctx context.Context) error {
	outputs, err := a.openOutputs(ctx)
	if err != nil {
		return err
	}
	if err := a.call("Stdin", a.openInput); err != nil {
		return err
	}
	a.files = append(a.files, a.p.input.file, outputs[0], outputs[1])
	for i, s := range a.p.cmd.Sockets {
		if err := a.call(fmt.Sprintf("Sockets[%d] %q", i, s.Name), func() error { return a.openSocket(s) }); err != nil {
			return err
		}
	}
	a.files = append(a.files, a.p.cmd.Files...)
	return nil
}

// call calls user code. The error names the field.
func (a *attempt) call(field string, f func() error) (err error) {
	a.mu.Lock()
	a.doing = field
	a.mu.Unlock()
	defer func() {
		if r := recover(); r != nil {
			err = actor.NewPanicError(r)
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", field, err)
		}
	}()
	return f()
}

func (a *attempt) doingNow() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.doing
}

// end hands over what is open to who serves the process that has started, or
// releases it, for which user code has a moment.
func (a *attempt) end(started bool) {
	if started {
		a.closeSockets()
		a.p.input.begin()
		a.p.runOutputs()
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.undo()
	}()
	if !wait(writerWait, done, nil) {
		a.p.warn("start failed, and what was opened for it is not closed in time")
	}
}

// undo goes on where user code calls runtime.Goexit.
func (a *attempt) undo() {
	a.closeSockets()
	n := len(a.releases) - 1
	if n < 0 {
		return
	}
	release := a.releases[n]
	a.releases = a.releases[:n]
	defer a.undo()
	release()
}

func (a *attempt) closeSockets() {
	for _, f := range a.sockets {
		f.Close()
	}
	a.sockets = nil
}
