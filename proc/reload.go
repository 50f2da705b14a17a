package proc

import (
	"context"
	"fmt"
	"os"
	"slices"

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
		return fmt.Errorf("it ended while it was reloading: %w", os.ErrProcessDone)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *process) askToReload(ctx context.Context, r *Reloading) error {
	if r.Command != nil {
		return p.beside(ctx, r.Command[0], r.Command[1:], p.mainPID()...)
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
