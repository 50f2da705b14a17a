package proc

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"

	"github.com/coppice-go/coppice/proc/internal/notify"
)

// reload is one that is waited for.
type reload struct {
	since uint64 // on the clock of MONOTONIC_USEC
	begun bool   // the process has said RELOADING=1
	done  chan struct{}
}

func (p *process) reload(ctx context.Context) error {
	r := p.cmd.Reload
	if r == nil {
		r = &Reloading{}
	}
	if !r.Await {
		return p.askToReload(ctx, r)
	}
	awaited := p.notices.beginReload()
	defer p.notices.endReload(awaited)
	if err := p.askToReload(ctx, r); err != nil {
		return err
	}
	select {
	case <-awaited.done:
		return nil
	case <-p.child.Ended():
		return errEndedReloading
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// errands are programs that are run for somebody who asked, as long as the process
// runs.
type errands struct {
	ctx    context.Context
	cancel context.CancelCauseFunc

	mu   sync.Mutex
	over bool
	wg   sync.WaitGroup
}

var errEndedReloading = fmt.Errorf("it ended while it was reloading: %w", os.ErrProcessDone)

// begin is for an incarnation whose stop is asked for by ctx.
func (e *errands) begin(ctx context.Context) {
	e.ctx, e.cancel = context.WithCancelCause(context.Background())
	context.AfterFunc(ctx, e.abort)
}

func (e *errands) abort() { e.cancel(errEndedReloading) }

// run gives do a context that ends with ctx and with the process.
func (e *errands) run(ctx context.Context, do func(context.Context) error) error {
	e.mu.Lock()
	if e.over {
		e.mu.Unlock()
		return os.ErrProcessDone
	}
	e.wg.Add(1)
	e.mu.Unlock()
	defer e.wg.Done()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(e.ctx, func() { cancel(context.Cause(e.ctx)) })()
	return do(ctx)
}

// end waits for what is under way.
func (e *errands) end() {
	e.abort()
	e.mu.Lock()
	e.over = true
	e.mu.Unlock()
	e.wg.Wait()
}

func (p *process) askToReload(ctx context.Context, r *Reloading) error {
	if r.Command != nil {
		return p.errands.run(ctx, func(ctx context.Context) error {
			return p.beside(ctx, r.Command[0], r.Command[1:], p.mainPID()...)
		})
	}
	signal := r.Signal
	if signal == 0 {
		signal = sigReload
	}
	return p.send(signal, Leader)
}

func (n *notices) beginReload() *reload {
	r := &reload{since: notify.Monotonic(), done: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.reloads = append(n.reloads, r)
	return r
}

func (n *notices) endReload(r *reload) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.reloads = slices.DeleteFunc(n.reloads, func(x *reload) bool { return x == r })
}

// noteReload does what a message says of a reload. The lock is held.
func (n *notices) noteReload(m notify.Message) {
	if m.Reloading {
		n.reloading = true
		for _, r := range n.reloads {
			r.begun = r.begun || m.At == 0 || m.At >= r.since // else it is an earlier one
		}
	}
	if !m.Ready {
		return
	}
	n.reloading = false
	n.reloads = slices.DeleteFunc(n.reloads, func(r *reload) bool {
		if r.begun {
			close(r.done)
		}
		return r.begun
	})
}
