package tree

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree/internal/machine"
)

// ErrInvalidSpec matches every *SpecError.
var ErrInvalidSpec = errors.New("invalid spec")

// SpecError says what is wrong with a spec. Nothing was started.
type SpecError struct {
	Path  string // of the child or supervisor
	Field string // such as "Shutdown" or "Policy.Delay"
	Err   error
}

func (e *SpecError) Error() string {
	return fmt.Sprintf("invalid spec: %s: %s: %v", abbreviated(e.Path), e.Field, e.Err)
}

// abbreviated leaves out the middle of a path that nobody would read to its end.
func abbreviated(path string) string {
	const most = 200
	if len(path) <= most {
		return path
	}
	above := strings.ToValidUTF8(path[:most/2], "")
	return above + "..." + strings.ToValidUTF8(path[len(path)-most/2:], "")
}

// Unwrap makes both ErrInvalidSpec and the reason found.
func (e *SpecError) Unwrap() []error { return []error{ErrInvalidSpec, e.Err} }

// Validate checks the spec and everything below it, as Start does before it
// starts anything. The first thing wrong is returned, as a *SpecError.
func (s Spec) Validate() error {
	if s.Name == "" {
		s.Name = DefaultName
	}
	if err := checkName(s.Name); err != nil {
		return &SpecError{fmt.Sprintf("%q", s.Name), "Name", err}
	}
	return s.check(s.Name)
}

const (
	maxDepth = 1000 // supervisors, one in the other
	maxName  = 255  // bytes
)

// DefaultName is the name of a root whose Spec has none.
const DefaultName = "root"

func bad(path, field, format string, args ...any) error {
	return &SpecError{path, field, fmt.Errorf(format, args...)}
}

func (s *Spec) check(path string) error {
	if strings.Count(path, "/") >= maxDepth {
		return bad(path, "Children", "nested deeper than %d: does the spec contain itself?", maxDepth)
	}
	if !s.Strategy.Valid() {
		return bad(path, "Strategy", "unknown value %d", s.Strategy)
	}
	if err := s.Intensity.Validate(); err != nil {
		return &SpecError{path, "Intensity", err}
	}
	if s.AutoShutdown > AllSignificant {
		return bad(path, "AutoShutdown", "unknown value %d", s.AutoShutdown)
	}
	if s.Template != nil {
		return s.checkDynamic(path)
	}
	var seen map[string]struct{} // nil as long as the names come in order: no two are the same
	last := ""
	for i := range s.Children {
		if err := s.Children[i].check(path, s.AutoShutdown); err != nil {
			return err
		}
		name := s.Children[i].name()
		if seen == nil && !machine.Before(last, name) {
			seen = names(s.Children[:i], len(s.Children))
		}
		last = name
		if seen == nil {
			continue
		}
		if _, dup := seen[name]; dup {
			return bad(path+"/"+name, "Name", "duplicate")
		}
		seen[name] = struct{}{}
	}
	return nil
}

// names has room for n.
func names(kids []Child, n int) map[string]struct{} {
	set := make(map[string]struct{}, n)
	for i := range kids {
		set[kids[i].name()] = struct{}{}
	}
	return set
}

func (s *Spec) checkDynamic(path string) error {
	t := s.Template
	switch {
	case len(s.Children) > 0:
		return bad(path, "Children", "not together with Template")
	case s.Strategy != strategies.OneForOne:
		return bad(path, "Strategy", "a dynamic supervisor is one-for-one")
	case s.AutoShutdown != NeverShutdown:
		return bad(path, "AutoShutdown", "not for a dynamic supervisor")
	case t.MaxInstances < 0:
		return bad(path, "Template.MaxInstances", "negative: %d", t.MaxInstances)
	case t.Child.Name != "":
		return bad(path, "Template.Child.Name", "must be empty, is %q", t.Child.Name)
	case t.New != nil && t.Child.Service != nil:
		return bad(path, "Template.Child.Service", "not together with Template.New")
	case t.New == nil:
		if err := t.Child.checkService(place{path, "*"}); err != nil {
			return err
		}
	}
	return t.Child.checkPolicy(place{path, "*"}, NeverShutdown)
}

// name is the child's name, or that of the nested spec.
func (c *Child) name() string {
	if c.Name == "" {
		if s := asSpec(c.Service); s != nil {
			return s.Name
		}
	}
	return c.Name
}

// place is where a child is. Its path is made when it is needed: not for every child
// that is in order.
type place struct{ parent, name string }

func (p place) path() string { return p.parent + "/" + p.name }

// check checks the child of the supervisor at parent.
func (c *Child) check(parent string, auto AutoShutdown) error {
	name := c.name()
	at := place{parent, name}
	if err := checkName(name); err != nil {
		return &SpecError{fmt.Sprintf("%s/%q", parent, name), "Name", err}
	}
	if s := asSpec(c.Service); s != nil && s.Name != "" && s.Name != name {
		return bad(at.path(), "Service.Name", "%q differs from the child's name", s.Name)
	}
	if err := c.checkService(at); err != nil {
		return err
	}
	return c.checkPolicy(at, auto)
}

func (c *Child) checkService(at place) error {
	if isNil(c.Service) {
		return bad(at.path(), "Service", "nil")
	}
	s := asSpec(c.Service)
	if _, ok := c.Service.(Init); ok || s != nil {
		switch {
		case c.StartTimeout != 0:
			return bad(at.path(), "StartTimeout", "not for a supervisor: its children have their own")
		case c.Heartbeat != 0:
			return bad(at.path(), "Heartbeat", "not for a supervisor")
		}
	}
	if s != nil {
		return s.check(at.path())
	}
	if v, ok := c.Service.(actor.Validator); ok {
		if err := validate(v); err != nil {
			return &SpecError{at.path(), "Service", err}
		}
	}
	return nil
}

func (c *Child) checkPolicy(at place, auto AutoShutdown) error {
	switch {
	case !c.Restart.Valid():
		return bad(at.path(), "Restart", "unknown value %d", c.Restart)
	case c.Significant && auto == NeverShutdown:
		return bad(at.path(), "Significant", "the supervisor's AutoShutdown is NeverShutdown")
	case c.Significant && c.Restart == strategies.Permanent:
		return bad(at.path(), "Significant", "a permanent child cannot be")
	case c.Shutdown < 0 && c.Shutdown != Brutal:
		return bad(at.path(), "Shutdown", "negative: %v", c.Shutdown)
	case c.StartTimeout < 0:
		return bad(at.path(), "StartTimeout", "negative: %v", c.StartTimeout)
	case c.Heartbeat < 0:
		return bad(at.path(), "Heartbeat", "negative: %v", c.Heartbeat)
	case c.OnStuck > StuckExit:
		return bad(at.path(), "OnStuck", "unknown value %d", c.OnStuck)
	}
	if err := c.Policy.Validate(); err != nil {
		return &SpecError{at.path(), "Policy", err}
	}
	return nil
}

func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("empty")
	case len(name) > maxName:
		return fmt.Errorf("longer than %d bytes", maxName)
	case !utf8.ValidString(name):
		return errors.New("not UTF-8")
	case strings.Contains(name, "/"):
		return errors.New("contains a slash")
	case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return errors.New("contains a character that cannot be printed")
	case strings.TrimSpace(name) != name:
		return errors.New("begins or ends with a space")
	}
	return nil
}

// asSpec returns the nested spec that v is, or nil.
func asSpec(v actor.Service) *Spec {
	switch s := v.(type) {
	case Spec:
		return &s
	case *Spec:
		return s
	}
	return nil
}

func isNil(v actor.Service) bool {
	if v == nil {
		return true
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Pointer, reflect.Func, reflect.Map, reflect.Slice, reflect.Chan:
		return r.IsNil()
	}
	return false
}

// validate asks user code, which may panic.
func validate(v actor.Validator) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("Validate: %w", actor.NewPanicError(r))
		}
	}()
	return v.Validate()
}

// shutdown is the grace that applies.
func (c *Child) shutdown(supervisor bool) time.Duration {
	switch {
	case c.Shutdown != 0:
		return c.Shutdown
	case supervisor:
		return Infinity
	}
	return DefaultShutdown
}
