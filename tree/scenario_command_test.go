package tree_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/tree"
)

// command carries a command out, lets everything happen that can without time
// passing, and returns what did.
func (p *play) command(text string) ([]string, error) {
	since := time.Now()
	verb, rest, _ := strings.Cut(text, " ")
	args := strings.Fields(rest)
	var err error
	var shown []string
	switch verb {
	case "start", "advance", "snapshot", "events", "stop":
	default:
		if len(args) == 0 {
			return nil, fmt.Errorf("%s: of whom?", verb)
		}
	}
	switch verb {
	case "start":
		p.start()
	case "advance":
		var d time.Duration
		if d, err = time.ParseDuration(rest); err == nil {
			sleep(d)
		}
	case "fail", "panic", "goexit", "end", "shutdown", "ignore", "escalate", "cancel", "retry-after":
		err = p.act(verb, rest)
	case "next-starts":
		err = p.planStarts(args)
	case "snapshot", "events":
		shown, err = p.show(verb)
	default:
		if known, e := p.steer(verb, args); known {
			err = e
		} else {
			err = p.request(p.ctx, text, verb, args)
		}
	}
	if err != nil {
		return nil, err
	}
	lines := p.tell(since)
	return append(lines, shown...), nil
}

// act makes a running child do what verb says.
func (p *play) act(verb, rest string) error {
	path, text, _ := strings.Cut(rest, " ")
	do := act(strings.TrimSpace(verb + " " + text))
	if do == nil {
		return fmt.Errorf("%s %s: what is this?", verb, rest)
	}
	r, err := p.running(path)
	if err == nil {
		r.do <- do
	}
	return err
}

// planStarts reads "path fail text x3".
func (p *play) planStarts(args []string) error {
	if len(args) < 2 {
		return errors.New("next-starts PATH WHAT [TEXT] [xN]")
	}
	n, last := 1, args[len(args)-1]
	if k, err := strconv.Atoi(strings.TrimPrefix(last, "x")); err == nil && last[0] == 'x' {
		n, args = k, args[:len(args)-1]
	}
	what := strings.Join(args[1:], " ")
	if what != "hang" && what != "succeed" && act(what) == nil {
		return fmt.Errorf("%s: what is this?", what)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for range n {
		p.starts[args[0]] = append(p.starts[args[0]], strings.TrimPrefix(what, "succeed"))
	}
	return nil
}

// steer is what the scenario does to a child from outside.
func (p *play) steer(verb string, args []string) (known bool, err error) {
	switch verb {
	case "ready":
		return true, p.ready(args[0])
	case "beat":
		return true, p.beat(args[0])
	case "hang":
		return true, p.hang(args[0])
	case "release":
		return true, p.free(args[0])
	case "on-stop":
		r, err := p.running(args[0])
		if err != nil {
			return true, err
		}
		do := act(strings.Join(args[1:], " "))
		if do == nil {
			return true, errors.New("on-stop PATH WHAT [TEXT]")
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		r.end = do
		return true, nil
	}
	return false, nil
}

// request asks something of the tree, as text has it.
func (p *play) request(ctx context.Context, text, verb string, args []string) error {
	if p.tree == nil && verb != "stop" {
		return errors.New("the tree has not been started")
	}
	child := func(f func(*tree.Tree, context.Context, string) error) {
		p.ask(ctx, text, verb+" child", args[0], func(ctx context.Context, t *tree.Tree) (string, error) {
			return "", f(t, ctx, args[0])
		})
	}
	switch verb {
	case "terminate":
		child((*tree.Tree).TerminateChild)
	case "restart":
		child((*tree.Tree).RestartChild)
	case "replace":
		child((*tree.Tree).ReplaceChild)
	case "delete":
		child((*tree.Tree).DeleteChild)
	case "start-child":
		return p.startChild(ctx, text, args)
	case "start-instance":
		p.startInstance(ctx, text, args)
	case "which":
		p.ask(ctx, text, "which children", args[0], func(ctx context.Context, t *tree.Tree) (string, error) {
			list, err := t.WhichChildren(ctx, args[0])
			return which(list), err
		})
	case "count":
		p.ask(ctx, text, "count children", args[0], func(ctx context.Context, t *tree.Tree) (string, error) {
			c, err := t.CountChildren(ctx, args[0])
			return fmt.Sprintf("%d specs, %d active, %d supervisors, %d workers", c.Specs, c.Active, c.Supervisors, c.Workers), err
		})
	case "as":
		return p.as(text, args)
	case "stop":
		return p.stopWithin(text, args)
	default:
		return fmt.Errorf("%s: no such command", verb)
	}
	synctest.Wait() // requests queue in the order of the commands
	return nil
}

func (p *play) startChild(ctx context.Context, text string, args []string) error {
	if len(args) < 2 {
		return errors.New("start-child SUPERVISOR NAME WORD …")
	}
	b, err := readBranch(strings.Join(args[1:], " "))
	if err != nil {
		return err
	}
	p.ask(ctx, text, "start child", args[0]+"/"+b.Name, func(ctx context.Context, t *tree.Tree) (string, error) {
		return "", t.StartChild(ctx, args[0], b.Child)
	})
	return nil
}

func (p *play) startInstance(ctx context.Context, text string, args []string) {
	p.ask(ctx, text, "start instance", "", func(ctx context.Context, t *tree.Tree) (string, error) {
		path, err := t.StartInstance(ctx, args[0], args[1:])
		if path == "" {
			path = "not kept"
		}
		return path, err
	})
}

// as makes a child ask, with its own context.
func (p *play) as(text string, args []string) error {
	if len(args) < 2 || args[1] == "as" || args[1] == "stop" {
		return errors.New("as PATH REQUEST …")
	}
	r, err := p.running(args[0])
	if err != nil {
		return err
	}
	return p.request(r.ctx, text, args[1], args[2:])
}

func (p *play) stopWithin(text string, args []string) error {
	within := tree.Infinity
	if len(args) > 0 {
		d, err := time.ParseDuration(args[0])
		if err != nil {
			return err
		}
		within = d
	}
	p.stop(text, within)
	return nil
}

func which(list []tree.ChildState) string {
	if len(list) == 0 {
		return "none"
	}
	words := make([]string, len(list))
	for i, c := range list {
		words[i] = c.Name + " " + c.State.String()
		if c.Supervisor {
			words[i] += " (supervisor)"
		}
	}
	return strings.Join(words, ", ")
}

func (p *play) show(verb string) ([]string, error) {
	if p.tree == nil {
		return nil, errors.New("the tree has not been started")
	}
	synctest.Wait()
	if verb == "snapshot" {
		n, err := p.tree.Snapshot(context.Background())
		if err != nil {
			return nil, err
		}
		return snapshot(&n, ""), nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var lines []string
	for _, e := range p.events {
		lines = append(lines, p.fullTell(e))
	}
	return lines, nil
}
