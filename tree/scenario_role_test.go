package tree_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/tree"
)

// role is what a child in a scenario runs. It is played by whoever started the
// tree: see playOf.
type role struct {
	announces         bool
	startsIn, stopsIn time.Duration
}

func (r *role) service() actor.Service { return r }

func (r *role) AnnouncesReady() bool { return r.announces }

// run is one incarnation of a child.
type run struct {
	ctx     context.Context
	path    string
	do      chan func() error // what it is to end with
	release chan struct{}     // closed: it need not hang any more

	// Under the play's lock.
	hangs, released, asked, over bool
	end                          func() error // what it does when it is asked to stop
}

type playKey struct{}

func (r *role) Serve(ctx context.Context) error {
	p := ctx.Value(playKey{}).(*play)
	self, _ := actor.Self(ctx)
	run := p.enter(ctx, self.Path)
	defer p.leave(run)

	first := p.nextStart(self.Path)
	hold := first == "hang"
	if first != "" && !hold {
		return act(first)()
	}
	var ready <-chan time.Time
	switch {
	case hold:
	case r.startsIn > 0:
		timer := time.NewTimer(r.startsIn)
		defer timer.Stop()
		ready = timer.C
	default:
		actor.Ready(ctx)
	}
	for {
		select {
		case <-ready:
			actor.Ready(ctx)
		case end := <-run.do:
			return end()
		case <-ctx.Done():
			return r.stop(p, run)
		}
	}
}

// stop is what happens after the stop was asked.
func (r *role) stop(p *play, run *run) error {
	p.mu.Lock()
	run.asked = true
	hangs := run.hangs
	p.mu.Unlock()
	if hangs {
		<-run.release
	} else if r.stopsIn > 0 {
		timer := time.NewTimer(r.stopsIn)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-run.release: // all is over
		}
	}
	p.mu.Lock()
	end := run.end
	p.mu.Unlock()
	if end != nil {
		return end()
	}
	return nil
}

// act makes what "fail boom" and the like say.
func act(what string) func() error {
	verb, text, _ := strings.Cut(what, " ")
	switch verb {
	case "fail":
		return func() error { return errors.New(text) }
	case "panic":
		return func() error { panic(text) }
	case "goexit":
		return func() error { runtime.Goexit(); return nil }
	case "end":
		return func() error { return nil }
	case "shutdown":
		if text == "" {
			return func() error { return actor.ErrShutdown }
		}
		return func() error { return actor.Shutdown(errors.New(text)) }
	case "ignore":
		return func() error { return actor.ErrIgnore }
	case "escalate":
		return func() error { return actor.Escalate(errors.New(text)) }
	case "cancel": // somebody else's
		return func() error { return context.Canceled }
	case "retry-after":
		in, text, _ := strings.Cut(text, " ")
		if d, err := time.ParseDuration(in); err == nil {
			return func() error { return actor.RetryAfter(d, errors.New(text)) }
		}
	}
	return nil
}

func (p *play) enter(ctx context.Context, path string) *run {
	r := &run{ctx: ctx, path: path, do: make(chan func() error, 1), release: make(chan struct{})}
	t, _ := tree.From(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tree = t
	p.runs = append(p.runs, r)
	return r
}

func (p *play) leave(r *run) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r.over = true
}

// nextStart is what was planned for the next start at path.
func (p *play) nextStart(path string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.starts[path]
	if len(list) == 0 {
		return ""
	}
	p.starts[path] = list[1:]
	return list[0]
}

// find is the newest incarnation at path that lives and is as it should be.
func (p *play) find(path, what string, is func(*run) bool) (*run, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range slices.Backward(p.runs) {
		if r.path == path && !r.over && is(r) {
			return r, nil
		}
	}
	return nil, fmt.Errorf("%s is not %s", path, what)
}

func (p *play) running(path string) (*run, error) {
	return p.find(path, "running", func(r *run) bool { return !r.asked })
}

// hang makes the child at path deaf to its stop.
func (p *play) hang(path string) error {
	r, err := p.running(path)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r.hangs = true
	return nil
}

// free ends what hang has begun.
func (p *play) free(path string) error {
	r, err := p.find(path, "hanging", func(r *run) bool { return r.hangs && !r.released })
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r.let()
	return nil
}

func (r *run) let() {
	if !r.released {
		r.released = true
		close(r.release)
	}
}
