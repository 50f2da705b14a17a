package treetest

import (
	"context"
	"reflect"

	proto "github.com/asynkron/protoactor-go/actor"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/tree"
)

// spec returns a copy whose services can be hurt.
func (f *faults) spec(s tree.Spec) tree.Spec {
	children := s.Children
	s.Children = nil
	for _, c := range children {
		s.Children = append(s.Children, f.child(c))
	}
	if s.Template != nil {
		t := *s.Template
		t.Child = f.child(t.Child)
		if t.New != nil {
			original := s.Template
			t.New = func(arg any) (actor.Service, error) {
				svc, err := original.New(arg)
				return f.service(svc), err
			}
		}
		s.Template = &t
	}
	return s
}

func (f *faults) child(c tree.Child) tree.Child {
	c.Service = f.service(c.Service)
	return c
}

// service wraps what can be hurt. What is nil stays so, to be refused.
func (f *faults) service(svc actor.Service) actor.Service {
	switch s := svc.(type) {
	case nil:
		return nil
	case tree.Spec:
		return f.spec(s)
	case *tree.Spec:
		if s != nil {
			return f.spec(*s)
		}
	case tree.Init:
		if s != nil {
			return tree.Init(func(ctx context.Context) (tree.Spec, error) {
				spec, err := s(ctx)
				return f.spec(spec), err
			})
		}
	case *actor.Actor:
		if s.Validate() == nil {
			return actor.Props(s.Props().Clone(proto.WithContextDecorator(f.decorate)))
		}
	default:
		if v := reflect.ValueOf(svc); v.Kind() != reflect.Pointer && v.Kind() != reflect.Func || !v.IsNil() {
			return &service{f, svc}
		}
	}
	return svc
}

// service is a Service that can be hurt. It says of itself what the original
// says.
type service struct {
	faults *faults
	actor.Service
}

func (s *service) Serve(ctx context.Context) error { return s.faults.serve(ctx, s.Service) }

func (s *service) AnnouncesReady() bool {
	a, ok := s.Service.(actor.Announcer)
	return ok && a.AnnouncesReady()
}

func (s *service) Killable() bool {
	k, ok := s.Service.(actor.Killer)
	return ok && k.Killable()
}

func (s *service) Kind() string {
	if k, ok := s.Service.(actor.Kinder); ok {
		return k.Kind()
	}
	return "goroutine"
}

func (s *service) Validate() error {
	if v, ok := s.Service.(actor.Validator); ok {
		return v.Validate()
	}
	return nil
}
