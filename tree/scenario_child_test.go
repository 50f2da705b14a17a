package tree_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/coppice-go/coppice/actor"
)

// sceneService is what a child of a scene runs: it waits for what the script has
// in store for it.
type sceneService struct {
	s         *scene
	announces bool
}

// extra is one incarnation of it.
type extra struct {
	do      chan func() error
	ready   chan struct{}
	release chan struct{} // nil: it stops when it is asked to
}

func (c *sceneService) AnnouncesReady() bool { return c.announces }

func (c *sceneService) Serve(ctx context.Context) error {
	x, plan := c.s.enter(ctx)
	switch plan {
	case "fail":
		return errors.New("cannot start")
	case "ignore":
		return actor.ErrIgnore
	case "panic":
		panic("cannot start")
	case "wait":
		select {
		case <-x.ready:
		case f := <-x.do:
			return f()
		case <-ctx.Done():
			return nil
		}
	}
	actor.Ready(ctx)
	for {
		select {
		case f := <-x.do:
			return f()
		case <-x.ready: // a beat
			actor.Beat(ctx)
			continue
		case <-ctx.Done():
		}
		if release := c.s.releaseOf(x); release != nil {
			select {
			case <-release:
			case <-c.s.quit:
			case f := <-x.do:
				return f()
			}
		}
		return nil
	}
}

// enter is the start of an incarnation, and what is planned for it.
func (s *scene) enter(ctx context.Context) (x *extra, plan string) {
	id, _ := actor.Self(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	x = &extra{do: make(chan func() error, 1), ready: make(chan struct{}, 1)}
	s.children[id.Path] = x
	if plans := s.plans[id.Path]; len(plans) > 0 {
		plan, s.plans[id.Path] = plans[0], plans[1:]
	}
	return x, plan
}

func (s *scene) releaseOf(x *extra) chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return x.release
}

// hurt makes a child do something, or plans it.
func (s *scene) hurt(what, path string, args []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if what == "next-starts" {
		s.plans[path] = args[1:]
		return nil
	}
	x := s.children[path]
	if x == nil {
		return fmt.Errorf("%q has never been started", path)
	}
	text := ""
	if len(args) > 1 {
		text = strings.Join(args[1:], " ")
	}
	ends := map[string]func() error{
		"fail":     func() error { return errors.New(text) },
		"end":      func() error { return nil },
		"shutdown": func() error { return actor.ErrShutdown },
		"escalate": func() error { return actor.Escalate(errors.New(text)) },
		"panic":    func() error { panic(text) },
		"goexit":   func() error { runtime.Goexit(); return nil },
		"retry-after": func() error {
			d, err := time.ParseDuration(args[1])
			if err != nil {
				return err
			}
			return actor.RetryAfter(d, errors.New("busy"))
		},
	}
	switch f := ends[what]; {
	case f != nil:
		x.do <- f
	case what == "ready", what == "beat":
		x.ready <- struct{}{}
	case what == "hang":
		x.release = make(chan struct{})
	case what == "release":
		close(x.release)
		x.release = nil
	default:
		return errors.New("no such command")
	}
	return nil
}
