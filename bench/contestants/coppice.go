package contestants

import (
	"context"
	"os"

	proto "github.com/asynkron/protoactor-go/actor"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/bench/contest"
	"github.com/coppice-go/coppice/proc"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

// coppice is this library: children of a spec, or the instances of a dynamic
// supervisor. Each runs under its labels and has the default grace.
type coppice struct{ dynamic bool }

// quiet has no logger and no bound on the stop.
var quiet = tree.Runner{Logger: discard, StopTimeout: tree.Infinity}

var unlimited = strategies.Intensity{Max: strategies.Unlimited}

const rootName = "bench"

type coppiceTree struct {
	*tree.Tree
	dynamic bool
	seen    *tree.Node // by List
}

func (a coppice) Start(spec *contest.Spec) (contest.Tree, error) {
	if !a.dynamic {
		t, err := quiet.Start(context.Background(), coppiceSpec(spec))
		return coppiceTree{t, false, new(tree.Node)}, err
	}
	if spec.Strategy != contest.OneForOne || spec.GiveUp {
		return nil, contest.ErrHasNone
	}
	for _, c := range spec.Children {
		if c.Sub != nil {
			return nil, contest.ErrHasNone
		}
	}
	t, err := quiet.Start(context.Background(), tree.Spec{
		Name: rootName, Intensity: unlimited, Template: &tree.Template{
			New: func(arg any) (actor.Service, error) { return arg.(*contest.Child), nil },
		},
	})
	if err != nil {
		return nil, err
	}
	for _, c := range spec.Children {
		if _, err := t.StartInstance(context.Background(), rootName, c); err != nil {
			return nil, err
		}
	}
	return coppiceTree{t, true, new(tree.Node)}, nil
}

func coppiceSpec(spec *contest.Spec) tree.Spec {
	s := tree.Spec{Intensity: unlimited, Children: make([]tree.Child, len(spec.Children))}
	switch spec.Strategy {
	case contest.OneForAll:
		s.Strategy = strategies.OneForAll
	case contest.RestForOne:
		s.Strategy = strategies.RestForOne
	}
	if spec.GiveUp {
		s.Intensity = strategies.Intensity{Max: 0, Within: 1}
	}
	for i, c := range spec.Children {
		s.Children[i] = tree.Child{Name: c.Name, Service: c}
		if c.Sub != nil {
			s.Children[i].Service = coppiceSpec(c.Sub)
		}
	}
	return s
}

func (t coppiceTree) Stop() error {
	_, err := t.Tree.Stop(context.Background())
	return err
}

func (t coppiceTree) StartChild(c *contest.Child) (func() error, error) {
	ctx := context.Background()
	sup := t.root()
	path := sup + "/" + c.Name
	var err error
	if t.dynamic {
		path, err = t.StartInstance(ctx, sup, c)
	} else {
		err = t.Tree.StartChild(ctx, sup, tree.Child{Name: c.Name, Service: c, Restart: strategies.Temporary})
	}
	return func() error { return t.TerminateChild(ctx, path) }, err
}

func (t coppiceTree) root() string {
	if t.dynamic {
		return rootName
	}
	return tree.DefaultName
}

// List reads again and again into the same memory.
func (t coppiceTree) List() (int, error) {
	err := t.ReadSnapshot(context.Background(), t.seen)
	return len(t.seen.Children), err
}

func (t coppiceTree) Count() (int, error) {
	n, err := t.CountChildren(context.Background(), t.root())
	return n.Specs, err
}

// Mail is an actor below a supervisor, addressed by its path.
func (a coppice) Mail() (contest.Mail, error) {
	if a.dynamic {
		return nil, contest.ErrHasNone // another: it is the same actor
	}
	t, err := quiet.Start(context.Background(), tree.Spec{Name: rootName, Children: []tree.Child{
		{Name: "postman", Service: actor.Props(proto.PropsFromFunc(postman))},
	}})
	if err != nil {
		return nil, err
	}
	peer := func(props *proto.Props) (func() error, error) {
		child := tree.Child{Name: "peer", Service: actor.Props(props), Restart: strategies.Temporary}
		stop := func() error { return t.TerminateChild(context.Background(), rootName+"/peer") }
		return stop, t.StartChild(context.Background(), rootName, child)
	}
	return &coppiceMail{protoMail{t.System(), t.PID(rootName + "/postman"), peer, coppiceTree{Tree: t}.Stop}, t}, nil
}

type coppiceMail struct {
	protoMail
	tree *tree.Tree
}

// Call asks by path, with the bound that is the default.
func (m *coppiceMail) Call(n int) error {
	for range n {
		if _, err := m.tree.Call(context.Background(), rootName+"/postman", &ping{}); err != nil {
			return err
		}
	}
	return nil
}

// Keep is a child that is a process.
func (a coppice) Keep(path string, args []string, pipe *os.File) (func() error, error) {
	if a.dynamic {
		return nil, contest.ErrHasNone // another: it is the same process
	}
	t, err := quiet.Start(context.Background(), tree.Spec{Intensity: unlimited, Children: []tree.Child{
		{Name: "process", Service: &proc.Command{Path: path, Args: args, Files: []*os.File{pipe}, Logger: discard}},
	}})
	return coppiceTree{Tree: t}.Stop, err
}

// Lines has a Logger that calls line.
func (a coppice) Lines(path string, args []string, line func()) error {
	return a.once(&proc.Command{Path: path, Args: args, Logger: lineLogger(line)})
}

// Bytes has a writer as Stdout.
func (a coppice) Bytes(path string, args []string, piece func(int)) error {
	return a.once(&proc.Command{Path: path, Args: args, Logger: discard, Stdout: pieces(piece)})
}

// once runs a process to its end.
func (a coppice) once(cmd *proc.Command) error {
	if a.dynamic {
		return contest.ErrHasNone
	}
	return quiet.Run(context.Background(), tree.Spec{AutoShutdown: tree.AnySignificant, Children: []tree.Child{
		{Name: "process", Service: cmd, Restart: strategies.Temporary, Significant: true},
	}})
}
