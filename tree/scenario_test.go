package tree_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/tree"
)

// Scenarios are written to be read: each file of testdata/scenarios tells of a
// tree, of what is done to it, and of what it does. Run with -rewrite to have the
// answers written anew.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "scenarios", "*.txt"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newScene(t)
				datadriven.RunTest(t, file, s.command)
				s.end()
			})
		})
	}
}

// scene is a tree and what is to be told of it.
type scene struct {
	*tree.Tree
	t     *testing.T
	began time.Time // of the command
	quit  chan struct{}

	mu       sync.Mutex
	events   []tree.Event
	answers  []string
	children map[string]*extra   // by path, the last incarnation
	plans    map[string][]string // by path, what the next starts do
}

func newScene(t *testing.T) *scene {
	return &scene{t: t, quit: make(chan struct{}), children: map[string]*extra{}, plans: map[string][]string{}}
}

func (s *scene) command(t *testing.T, d *datadriven.TestData) string {
	s.began = time.Now()
	said, err := s.do(d)
	if err != nil {
		d.Fatalf(t, "%s: %v", d.Cmd, err)
	}
	synctest.Wait()
	return s.told() + said
}

// do carries a command out and returns what is to be said beside the events.
func (s *scene) do(d *datadriven.TestData) (string, error) {
	var args []string
	for _, a := range d.CmdArgs {
		args = append(args, a.Key)
	}
	at := func(i int) string {
		if i < len(args) {
			return args[i]
		}
		return ""
	}
	ctx, path := context.Background(), at(0)
	switch d.Cmd {
	case "tree":
		return "", s.start(d.Input)
	case "advance":
		by, err := time.ParseDuration(path)
		time.Sleep(by)
		return "", err
	case "terminate":
		return "", s.ask(d.Cmd, path, func() error { return s.TerminateChild(ctx, path) })
	case "restart":
		return "", s.ask(d.Cmd, path, func() error { return s.RestartChild(ctx, path) })
	case "replace":
		return "", s.ask(d.Cmd, path, func() error { return s.ReplaceChild(ctx, path) })
	case "delete":
		return "", s.ask(d.Cmd, path, func() error { return s.DeleteChild(ctx, path) })
	case "start-child":
		child, err := s.plant(d.Input)
		if err != nil {
			return "", err
		}
		return "", s.ask(d.Cmd, path+"/"+child.Name, func() error { return s.StartChild(ctx, path, child) })
	case "start-instance":
		return "", s.ask(d.Cmd, path, func() error { _, err := s.StartInstance(ctx, path, nil); return err })
	case "stop":
		return "", s.ask(d.Cmd, "", func() error { _, err := s.Stop(ctx); return err })
	case "children":
		return s.show(path)
	case "count":
		c, err := s.CountChildren(ctx, path)
		return fmt.Sprintf("%d specs, %d active, %d supervisors, %d workers\n", c.Specs, c.Active, c.Supervisors, c.Workers), err
	case "result":
		if err := s.Wait(ctx); err != nil {
			return err.Error() + "\n", nil
		}
		return "no error\n", nil
	}
	return "", s.hurt(d.Cmd, path, args)
}

// start starts the tree that the lines describe.
func (s *scene) start(lines string) error {
	root, err := s.plant(lines)
	if err != nil {
		return err
	}
	spec := root.Service.(tree.Spec)
	spec.Name = root.Name
	r := tree.Runner{Logger: slog.New(slog.DiscardHandler), OnEvent: func(e tree.Event) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.events = append(s.events, e)
	}}
	started := make(chan error, 1)
	go func() {
		t, err := r.Start(context.Background(), spec)
		s.Tree = t
		if err != nil {
			s.answer("not started: " + err.Error())
		}
		started <- err
	}()
	synctest.Wait()
	return nil
}

// ask makes a request. Its answer is told when it comes.
func (s *scene) ask(op, path string, f func() error) error {
	go func() {
		text := "ok"
		if err := f(); err != nil {
			text = err.Error()
		}
		s.answer(strings.TrimSpace(op+" "+path) + ": " + text)
	}()
	return nil
}

func (s *scene) answer(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.t.Context().Err() == nil {
		s.answers = append(s.answers, text)
	}
}

// told is what has happened since the last command.
func (s *scene) told() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	for _, e := range s.events {
		if e.Kind == tree.ChildStarting || e.Kind == tree.RequestDone {
			continue
		}
		if after := e.Time.Sub(s.began); after > 0 {
			fmt.Fprintf(&b, "%v later: ", after)
		}
		path := e.Path
		if e.Incarnation > 1 {
			path += fmt.Sprintf("#%d", e.Incarnation)
		}
		_, what, _ := strings.Cut(line(e), ": ")
		fmt.Fprintf(&b, "%s: %s\n", path, strings.ReplaceAll(what, " of -1", ", no limit"))
	}
	sort.Strings(s.answers)
	for _, a := range s.answers {
		fmt.Fprintf(&b, "%s\n", a)
	}
	s.events, s.answers = nil, nil
	return b.String()
}

// show is the children of a supervisor, without what depends on the clock.
func (s *scene) show(path string) (string, error) {
	n, err := s.Find(context.Background(), path)
	if err != nil {
		return err.Error() + "\n", nil
	}
	var b strings.Builder
	for _, c := range n.Children {
		fmt.Fprintf(&b, "%s %v", c.Name, c.State)
		if c.Incarnation > 0 {
			fmt.Fprintf(&b, " #%d", c.Incarnation)
		}
		if c.Restarts > 0 {
			fmt.Fprintf(&b, ", restarts %d", c.Restarts)
		}
		if c.Stuck > 0 {
			fmt.Fprintf(&b, ", stuck #%d", c.Stuck)
		}
		b.WriteByte('\n')
	}
	if len(n.Children) == 0 {
		return "none\n", nil
	}
	return b.String(), nil
}

func (s *scene) end() {
	close(s.quit)
	if s.Tree != nil {
		_, _ = s.Stop(context.Background())
	}
}

// words splits the lines of a description into their words, with their depth.
func words(text string) (list [][]string, depth []int) {
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		line := lines.Text()
		if strings.TrimSpace(line) == "" {
			continue
		}
		list = append(list, strings.Fields(line))
		depth = append(depth, (len(line)-len(strings.TrimLeft(line, " ")))/2)
	}
	return list, depth
}
