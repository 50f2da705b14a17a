package tree_test

import (
	"context"
	"log/slog"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	proto "github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

type pointerService struct{}

func (*pointerService) Serve(context.Context) error { return nil }

type picky struct{ err error }

func (picky) Serve(context.Context) error { return nil }
func (p picky) Validate() error           { return p.err }

type panicky struct{}

func (panicky) Serve(context.Context) error { return nil }
func (panicky) Validate() error             { panic("ouch") }

// child makes a spec of one child that is fine but for what f does.
func child(f func(c *tree.Child)) tree.Spec {
	c := tree.Child{Name: "a", Service: newPart()}
	f(&c)
	return tree.Spec{Children: []tree.Child{{Name: "ok", Service: newPart()}, c}}
}

func significant(auto tree.AutoShutdown, r strategies.Restart) tree.Spec {
	s := child(func(c *tree.Child) { c.Significant, c.Restart = true, r })
	s.AutoShutdown = auto
	return s
}

func template(f func(s *tree.Spec)) tree.Spec {
	s := tree.Spec{Template: &tree.Template{Child: tree.Child{Service: newPart()}}}
	f(&s)
	return s
}

// cyclic is a spec that contains itself.
func cyclic() tree.Spec {
	s := &tree.Spec{}
	s.Children = []tree.Child{{Name: "again", Service: s}}
	return *s
}

var invalidSpecs = []struct {
	name  string
	spec  tree.Spec
	path  string // "*": any
	field string
}{
	{"empty name", child(func(c *tree.Child) { c.Name = "" }), `root/""`, "Name"},
	{"duplicate name", child(func(c *tree.Child) { c.Name = "ok" }), "root/ok", "Name"},
	{"slash", child(func(c *tree.Child) { c.Name = "a/b" }), `root/"a/b"`, "Name"},
	{"newline", child(func(c *tree.Child) { c.Name = "a\nb" }), `root/"a\nb"`, "Name"},
	{"tab", child(func(c *tree.Child) { c.Name = "a\tb" }), `root/"a\tb"`, "Name"},
	{"NUL", child(func(c *tree.Child) { c.Name = "\x00" }), `root/"\x00"`, "Name"},
	{"escape", child(func(c *tree.Child) { c.Name = "\x1b[31m" }), `root/"\x1b[31m"`, "Name"},
	{"invalid UTF-8", child(func(c *tree.Child) { c.Name = "a\xff" }), `root/"a\xff"`, "Name"},
	{"only spaces", child(func(c *tree.Child) { c.Name = "  " }), `root/"  "`, "Name"},
	{"space at the end", child(func(c *tree.Child) { c.Name = "a " }), `root/"a "`, "Name"},
	{"bidi override", child(func(c *tree.Child) { c.Name = "a\u202eb" }), "*", "Name"},
	{"very long name", child(func(c *tree.Child) { c.Name = strings.Repeat("x", 10_000) }), "*", "Name"},

	{"nil service", child(func(c *tree.Child) { c.Service = nil }), "root/a", "Service"},
	{"typed nil pointer", child(func(c *tree.Child) { c.Service = (*pointerService)(nil) }), "root/a", "Service"},
	{"nil Func", child(func(c *tree.Child) { c.Service = actor.Func(nil) }), "root/a", "Service"},
	{"nil Actor", child(func(c *tree.Child) { c.Service = (*actor.Actor)(nil) }), "root/a", "Service"},
	{"nil Props", child(func(c *tree.Child) { c.Service = actor.Props(nil) }), "root/a", "Service"},
	{"nil *Spec", child(func(c *tree.Child) { c.Service = (*tree.Spec)(nil) }), "root/a", "Service"},
	{"service refuses", child(func(c *tree.Child) { c.Service = picky{errBoom} }), "root/a", "Service"},
	{"service panics when asked", child(func(c *tree.Child) { c.Service = panicky{} }), "root/a", "Service"},

	{"negative Shutdown", child(func(c *tree.Child) { c.Shutdown = -1 }), "root/a", "Shutdown"},
	{"negative StartTimeout", child(func(c *tree.Child) { c.StartTimeout = -1 }), "root/a", "StartTimeout"},
	{"brutal StartTimeout", child(func(c *tree.Child) { c.StartTimeout = tree.Brutal }), "root/a", "StartTimeout"},
	{"negative Heartbeat", child(func(c *tree.Child) { c.Heartbeat = -time.Second }), "root/a", "Heartbeat"},
	{"unknown Restart", child(func(c *tree.Child) { c.Restart = 99 }), "root/a", "Restart"},
	{"unknown OnStuck", child(func(c *tree.Child) { c.OnStuck = 99 }), "root/a", "OnStuck"},
	{"negative delay", child(func(c *tree.Child) { c.Policy.Delay = -1 }), "root/a", "Policy.Delay"},
	{"negative backoff", child(func(c *tree.Child) { c.Policy.Backoff.Initial = -1 }), "root/a", "Policy.Backoff.Initial"},
	{"delay and backoff", child(func(c *tree.Child) { c.Policy.Delay, c.Policy.Backoff.Initial = 1, 1 }), "root/a", "Policy.Delay"},
	{"negative MaxRestarts", child(func(c *tree.Child) { c.Policy.MaxRestarts = -2 }), "root/a", "Policy.MaxRestarts"},
	{"unknown Exhausted", child(func(c *tree.Child) { c.Policy.Exhausted = 99 }), "root/a", "Policy.Exhausted"},
	{"negative ResetAfter", child(func(c *tree.Child) { c.Policy.ResetAfter = -1 }), "root/a", "Policy.ResetAfter"},

	{"name of the root", tree.Spec{Name: "a/b"}, `"a/b"`, "Name"},
	{"unknown Strategy", tree.Spec{Strategy: 99}, "root", "Strategy"},
	{"unknown AutoShutdown", tree.Spec{AutoShutdown: 99}, "root", "AutoShutdown"},
	{"negative Max", tree.Spec{Intensity: strategies.Intensity{Max: -2}}, "root", "Intensity.Max"},
	{"negative Within", tree.Spec{Intensity: strategies.Intensity{Within: -1}}, "root", "Intensity.Within"},
	{"significant, never", significant(tree.NeverShutdown, strategies.Transient), "root/a", "Significant"},
	{"significant, permanent", significant(tree.AnySignificant, strategies.Permanent), "root/a", "Significant"},
	{"significant, both", significant(tree.NeverShutdown, strategies.Permanent), "root/a", "Significant"},

	{"name differs", child(func(c *tree.Child) { c.Service = tree.Spec{Name: "b"} }), "root/a", "Service.Name"},
	{"supervisor with StartTimeout", child(func(c *tree.Child) { c.Service, c.StartTimeout = tree.Spec{}, 1 }), "root/a", "StartTimeout"},
	{"supervisor with Heartbeat", child(func(c *tree.Child) { c.Service, c.Heartbeat = tree.Spec{}, 1 }), "root/a", "Heartbeat"},
	{"deep below", child(func(c *tree.Child) {
		c.Service = tree.Spec{Children: []tree.Child{{Name: "b", Service: &tree.Spec{Children: []tree.Child{{Name: "c"}}}}}}
	}), "root/a/b/c", "Service"},
	{"contains itself", cyclic(), "*", "Children"},

	{"template and children", template(func(s *tree.Spec) { s.Children = kids(newPart()) }), "root", "Children"},
	{"template and strategy", template(func(s *tree.Spec) { s.Strategy = strategies.OneForAll }), "root", "Strategy"},
	{"template and AutoShutdown", template(func(s *tree.Spec) { s.AutoShutdown = tree.AllSignificant }), "root", "AutoShutdown"},
	{"template with name", template(func(s *tree.Spec) { s.Template.Child.Name = "a" }), "root", "Template.Child.Name"},
	{"template negative max", template(func(s *tree.Spec) { s.Template.MaxInstances = -1 }), "root", "Template.MaxInstances"},
	{"template New and Service", template(func(s *tree.Spec) { s.Template.New = func(any) (actor.Service, error) { return newPart(), nil } }), "root", "Template.Child.Service"},
	{"template without service", template(func(s *tree.Spec) { s.Template.Child.Service = nil }), "root/*", "Service"},
	{"template significant", template(func(s *tree.Spec) { s.Template.Child.Significant = true }), "root/*", "Significant"},
	{"template negative Shutdown", template(func(s *tree.Spec) { s.Template.Child.Shutdown = -1 }), "root/*", "Shutdown"},
}

// A spec that is wrong anywhere starts nothing, and the error names the child and
// the field.
func TestInvalidSpec(t *testing.T) {
	for _, tt := range invalidSpecs {
		t.Run(tt.name, func(t *testing.T) {
			w := record(t)
			_, err := w.runner().Start(t.Context(), tt.spec)
			require.ErrorIs(t, err, tree.ErrInvalidSpec)
			var se *tree.SpecError
			require.ErrorAs(t, err, &se)
			if tt.path != "*" {
				require.Equal(t, tt.path, se.Path)
			}
			require.True(t, strings.HasPrefix(se.Field+"."+se.Err.Error(), tt.field), "%s, in %q", tt.field, err)
			require.NotContains(t, err.Error(), "\n")
			require.Empty(t, w.events)

			require.EqualError(t, tt.spec.Validate(), err.Error(), "Validate says the same")
		})
	}
}

// A thousand supervisors may be nested. One more is taken for a spec that contains
// itself, and told in a line that can be read.
func TestDepth(t *testing.T) {
	nested := func(levels int, name string, lowest tree.Child) tree.Spec {
		for range levels - 1 {
			lowest = tree.Child{Name: name, Service: tree.Spec{Intensity: none, Children: []tree.Child{lowest}}}
		}
		return tree.Spec{Intensity: unlimited, Children: []tree.Child{lowest}}
	}
	bubble(t, func(t *testing.T) {
		p := newPart()
		w := start(t, nested(1000, "s", tree.Child{Name: "p", Service: p}))
		p.end(errBoom)
		require.Equal(t, 2, p.starts) // the failure has climbed to the root
		w.stop()
	})
	for _, name := range []string{"s", "ü", "üb"} {
		err := nested(1001, name, tree.Child{Name: "p", Service: newPart()}).Validate()
		require.ErrorIs(t, err, tree.ErrInvalidSpec)
		text := err.Error()
		require.True(t, strings.HasPrefix(text, "invalid spec: root/"+name+"/"+name+"/"), text)
		require.True(t, strings.HasSuffix(text, "/"+name+": Children: nested deeper than 1000: does the spec contain itself?"), text)
		require.True(t, utf8.ValidString(text), text)
		require.Less(t, len(text), 300)
	}
}

// What is wrong with the child of a request is told in the same words, and
// before its name is looked up.
func TestInvalidChild(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := start(t, tree.Spec{Children: []tree.Child{{Name: "sub", Service: tree.Spec{Children: kids(newPart())}}}})
		err := w.StartChild(t.Context(), "root/sub", tree.Child{Name: "a", Service: newPart(), Shutdown: -1})
		var se *tree.SpecError
		require.ErrorAs(t, err, &se)
		require.Equal(t, "root/sub/a", se.Path)
		require.Equal(t, "Shutdown", se.Field)
		require.ErrorIs(t, w.StartChild(t.Context(), "root", tree.Child{Name: "s", Service: newPart(), Significant: true, Restart: strategies.Transient}), tree.ErrInvalidSpec)
		require.ErrorIs(t, w.StartChild(t.Context(), "root", tree.Child{}), tree.ErrInvalidSpec)
		require.Equal(t, "sub running", w.states("root"))
	})
}

func TestInvalidRunner(t *testing.T) {
	for _, x := range []struct {
		field string
		r     tree.Runner
	}{
		{"StopTimeout", tree.Runner{StopTimeout: -1}},
		{"CallTimeout", tree.Runner{CallTimeout: -1}},
		{"EventBuffer", tree.Runner{EventBuffer: -1}},
		{"EventBuffer", tree.Runner{EventBuffer: tree.MaxEventBuffer + 1}},
		{"EventBuffer", tree.Runner{EventBuffer: math.MaxInt, OnEvent: func(tree.Event) {}}},
	} {
		field, r := x.field, x.r
		r.Logger = slog.New(slog.DiscardHandler)
		_, err := r.Start(t.Context(), tree.Spec{})
		require.ErrorIs(t, err, tree.ErrInvalidSpec)
		var se *tree.SpecError
		require.ErrorAs(t, err, &se)
		require.Equal(t, field, se.Field)
		require.ErrorIs(t, r.Run(t.Context(), tree.Spec{}), tree.ErrInvalidSpec)
		require.Equal(t, tree.ExitFailure, r.Main(tree.Spec{}))
	}
}

// A nil context is one that never ends.
func TestNilContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var none context.Context
		asks := actor.Func(func(ctx context.Context) error {
			actor.Handle(ctx, func(ctx context.Context, request any) (any, error) { return request, ctx.Err() })
			<-ctx.Done()
			return nil
		})
		dynamic := tree.Spec{Template: &tree.Template{Child: tree.Child{Service: newPart()}}}
		r := record(t).runner()
		w, err := r.Start(none, tree.Spec{Children: kids(asks, dynamic)})
		require.NoError(t, err)
		synctest.Wait()
		_, err = w.Snapshot(none)
		require.NoError(t, err)
		_, err = w.Find(none, "root/a")
		require.NoError(t, err)
		_, err = w.CountChildren(none, "root")
		require.NoError(t, err)
		_, err = w.WhichChildren(none, "root")
		require.NoError(t, err)
		answer, err := w.Call(none, "root/a", "hello")
		require.NoError(t, err)
		require.Equal(t, "hello", answer)
		_, err = w.StartInstance(none, "root/b", nil)
		require.NoError(t, err)
		require.NoError(t, w.StartChild(none, "root", tree.Child{Name: "c", Service: newPart()}))
		require.NoError(t, w.TerminateChild(none, "root/c"))
		go func() { _, _ = w.Stop(none) }()
		require.NoError(t, w.Wait(none))

		ends := tree.Spec{AutoShutdown: tree.AnySignificant, Children: []tree.Child{{
			Name: "a", Service: actor.Func(func(context.Context) error { return nil }), Restart: strategies.Transient, Significant: true,
		}}}
		require.NoError(t, r.Run(none, ends))
		require.NoError(t, ends.Serve(none))
		require.NoError(t, tree.Init(func(ctx context.Context) (tree.Spec, error) { return ends, ctx.Err() }).Serve(none))
	})
}

// Odd names that are fine, those that the machinery might use itself included.
func TestOddNames(t *testing.T) {
	names := []string{"a b", "~1", "~keeper", "#1", "*", ".", "..", "ümläut", "日本", "🌳", "%s", "$1", `"`, "root", strings.Repeat("n", 200)}
	bubble(t, func(t *testing.T) {
		var spec tree.Spec
		for i, name := range names {
			c := tree.Child{Name: name, Service: newPart()}
			if i%2 == 1 {
				c.Service = (&player{}).props()
			}
			spec.Children = append(spec.Children, c)
		}
		spec.Children = append(spec.Children, tree.Child{Name: "sub", Service: tree.Spec{Children: spec.Children}})
		w := start(t, tree.Spec{Name: "odd names", Intensity: strategies.Intensity{Max: 3}, Children: spec.Children})
		for _, sup := range []string{"odd names", "odd names/sub"} {
			for _, name := range names {
				path := sup + "/" + name
				require.NoError(t, w.ReplaceChild(t.Context(), path))
				require.Equal(t, name, w.node(path).Name)
			}
		}
		w.stop()
	})
}

// Not even the name of the machinery's own helper is in the way.
func TestOddNameKeeper(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := start(t, tree.Spec{Children: []tree.Child{{Name: "sub", Service: tree.Spec{Children: []tree.Child{{Name: "~keeper", Service: newPart()}}}}}})
		w.news()
		w.System().Root.Stop(w.PID("root/sub"))
		require.Equal(t, "-sub/~keeper -sub +sub/~keeper2 +sub2", w.life())
	})
}

// An empty supervisor is a supervisor.
func TestEmptySpec(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := start(t, tree.Spec{})
		require.Equal(t, []string{"root: supervisor started"}, w.story())
		require.Equal(t, "root", w.node("root").Name)
		w.stop()
	})
}

// A name in the nested spec alone is enough.
func TestNameFromNestedSpec(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := start(t, tree.Spec{Children: []tree.Child{{Service: tree.Spec{Name: "sub", Children: kids(newPart())}}}})
		require.Equal(t, "sub running", w.states("root"))
	})
}

// An actor cannot be served outside a tree, a Spec can: by any other supervisor.
func TestServeOutside(t *testing.T) {
	bubble(t, func(t *testing.T) {
		require.Error(t, actor.Props(proto.PropsFromFunc(func(proto.Context) {})).Serve(t.Context()))
		ctx, cancel := context.WithCancel(t.Context())
		done := later(func() error { return tree.Spec{Children: kids(newPart())}.Serve(ctx) })
		require.True(t, pending(done))
		cancel()
		require.NoError(t, <-done)
	})
}

// Of two children of one name the second is told, wherever they are, and before what is
// wrong after it.
func TestDuplicateNames(t *testing.T) {
	for _, names := range []string{"a a ?", "a b c b ?", "c b a c ?", "w1 w2 w10 w2 ?"} {
		var spec tree.Spec
		fields := strings.Fields(names)
		for _, name := range fields {
			spec.Children = append(spec.Children, tree.Child{Name: name, Service: actor.Func(waiting)})
		}
		spec.Children[len(fields)-1].Service = nil
		var bad *tree.SpecError
		require.ErrorAs(t, spec.Validate(), &bad, names)
		require.Equal(t, "root/"+fields[len(fields)-2], bad.Path, names)
		require.Equal(t, "Name", bad.Field, names)
	}
}
