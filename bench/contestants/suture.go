package contestants

import (
	"context"
	"errors"
	"math"

	"github.com/thejerf/suture/v4"

	"github.com/coppice-go/coppice/bench/contest"
)

// sutureAdapter is github.com/thejerf/suture/v4. It has one strategy, starts its
// services without waiting for them, and stops them all at once. Each service has a
// name, as it would print itself otherwise.
type sutureAdapter struct{}

func newSuture(spec *contest.Spec) *suture.Supervisor {
	s := suture.New("bench", suture.Spec{
		EventHook: func(suture.Event) {}, FailureThreshold: math.MaxFloat64, Timeout: patience,
	})
	for _, c := range spec.Children {
		s.Add(sutureService(c, spec))
	}
	return s
}

// sutureService is the child as a service. A suture supervisor gives up when a
// service says so, and cannot be used again: a nested one is made by a service of
// its own.
func sutureService(c *contest.Child, in *contest.Spec) suture.Service {
	switch {
	case c.Sub != nil:
		return &sutureSub{c, in.GiveUp}
	case in.GiveUp:
		return sutureLast{c}
	}
	return c
}

type sutureSub struct {
	child  *contest.Child
	climbs bool
}

func (s *sutureSub) String() string { return s.child.Name }

func (s *sutureSub) Serve(ctx context.Context) error {
	err := newSuture(s.child.Sub).Serve(ctx)
	if errors.Is(err, suture.ErrTerminateSupervisorTree) && !s.climbs {
		return contest.ErrBoom // a failure like any other
	}
	return err
}

// sutureLast is a service whose failure ends its supervisor.
type sutureLast struct{ *contest.Child }

func (s sutureLast) Serve(ctx context.Context) error {
	if err := s.Child.Serve(ctx); err != nil {
		return suture.ErrTerminateSupervisorTree
	}
	return nil
}

type sutureTree struct {
	sup    *suture.Supervisor
	cancel context.CancelFunc
	done   <-chan error
}

func (sutureAdapter) Start(spec *contest.Spec) (contest.Tree, error) {
	if spec.Strategy != contest.OneForOne {
		return nil, contest.ErrHasNone
	}
	sup := newSuture(spec)
	ctx, cancel := context.WithCancel(context.Background())
	return &sutureTree{sup, cancel, sup.ServeBackground(ctx)}, nil
}

func (t *sutureTree) Stop() error {
	t.cancel()
	<-t.done
	return nil
}

func (t *sutureTree) StartChild(c *contest.Child) (func() error, error) {
	token := t.sup.Add(c)
	return func() error { return t.sup.RemoveAndWait(token, 0) }, nil
}

// List has no states to show.
func (t *sutureTree) List() (int, error) { return len(t.sup.Services()), nil }

// Count has no other way.
func (t *sutureTree) Count() (int, error) { return t.List() }
