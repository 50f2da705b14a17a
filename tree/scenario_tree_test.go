package tree_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

// treeError is what is wrong with a line of a tree, counted from 0.
type treeError struct {
	line int
	err  error
}

// readTree reads the lines below "tree". A line names a child and says how it is
// supervised; two more spaces before it make it a child of the line above.
func readTree(lines []string) (*tree.Spec, *treeError) {
	if len(lines) == 0 {
		return nil, &treeError{-1, errors.New("the tree is empty")}
	}
	var open []*branch // the branch being read at every depth
	for i, line := range lines {
		text := strings.TrimLeft(line, " ")
		indent := len(line) - len(text)
		depth := indent/2 - 1
		if indent%2 != 0 || depth < 0 || depth > len(open) || (depth == 0) != (i == 0) {
			return nil, &treeError{i, errors.New("indentation: two spaces for each level, below one root")}
		}
		b, err := readBranch(text)
		if err == nil && depth > 0 && open[depth-1].spec == nil {
			err = fmt.Errorf("%s is no supervisor: it has no strategy", open[depth-1].Name)
		}
		if err != nil {
			return nil, &treeError{i, err}
		}
		if depth > 0 {
			open[depth-1].kids = append(open[depth-1].kids, b)
		}
		open = append(open[:depth], b)
	}
	root := open[0]
	if root.spec == nil {
		return nil, &treeError{0, errors.New("the root is no supervisor: it has no strategy")}
	}
	if err := root.close(); err != nil {
		return nil, &treeError{0, err}
	}
	root.spec.Name = root.Name
	return root.spec, nil
}

// branch is a line of a tree.
type branch struct {
	tree.Child
	spec *tree.Spec // of a supervisor
	kids []*branch
	role *role
}

// readBranch reads "name word word=value …".
func readBranch(text string) (*branch, error) {
	words := strings.Fields(text)
	b := &branch{Child: tree.Child{Name: words[0]}, role: &role{}}
	for _, w := range words[1:] {
		if err := b.word(w); err != nil {
			return nil, fmt.Errorf("%s: %w", w, err)
		}
	}
	b.Service = b.role.service()
	if b.spec != nil {
		b.Service = *b.spec
	}
	return b, nil
}

// close gives the supervisors their children, which are known by now.
func (b *branch) close() error {
	for _, kid := range b.kids {
		if err := kid.close(); err != nil {
			return err
		}
		if t := b.spec.Template; t != nil {
			if len(b.kids) != 1 || kid.Name != "*" || kid.spec != nil {
				return fmt.Errorf("%s is dynamic: one child, \"*\", is the template", b.Name)
			}
			t.Child, t.New = kid.Child, kid.instance
			t.Child.Name, t.Child.Service = "", nil
			continue
		}
		b.spec.Children = append(b.spec.Children, kid.Child)
	}
	if b.spec != nil {
		b.Service = *b.spec
	}
	return nil
}

// instance makes the role of an instance: the template's, with the words given.
func (b *branch) instance(arg any) (actor.Service, error) {
	i := &branch{role: new(*b.role)}
	for _, w := range arg.([]string) {
		if err := i.word(w); err != nil {
			return nil, fmt.Errorf("%s: %w", w, err)
		}
	}
	return i.role.service(), nil
}

func (b *branch) word(w string) (err error) {
	key, value, valued := strings.Cut(w, "=")
	if !valued {
		return b.plainWord(w)
	}
	switch key {
	case "shutdown":
		b.Shutdown, err = duration(value)
	case "start-timeout":
		b.StartTimeout, err = duration(value)
	case "heartbeat":
		b.Heartbeat, err = duration(value)
	case "starts-in":
		b.role.announces = true
		b.role.startsIn, err = duration(value)
	case "stops-in":
		b.role.stopsIn, err = duration(value)
	case "delay":
		b.Policy.Delay, err = duration(value)
	case "backoff":
		first, most, _ := strings.Cut(value, "..")
		b.Policy.Backoff.Jitter = strategies.NoJitter
		if b.Policy.Backoff.Initial, err = duration(first); err == nil {
			b.Policy.Backoff.Max, err = duration(most)
		}
	case "max-restarts":
		b.Policy.MaxRestarts, err = strconv.Atoi(value)
	case "reset-after":
		b.Policy.ResetAfter, err = duration(value)
	case "stuck":
		known := map[string]tree.OnStuck{"hold": tree.StuckHold, "abandon": tree.StuckAbandon}
		var ok bool
		if b.OnStuck, ok = known[value]; !ok {
			err = errors.New("hold or abandon")
		}
	default:
		return b.supervisorWord(key, value)
	}
	return err
}

func (b *branch) supervisorWord(key, value string) (err error) {
	if b.spec == nil {
		return errors.New("what is this? (not a supervisor: the strategy comes first)")
	}
	switch key {
	case "auto-shutdown":
		known := map[string]tree.AutoShutdown{"any": tree.AnySignificant, "all": tree.AllSignificant}
		var ok bool
		if b.spec.AutoShutdown, ok = known[value]; !ok {
			err = errors.New("any or all")
		}
	case "max-instances":
		if b.spec.Template == nil {
			return errors.New("only for a dynamic supervisor")
		}
		b.spec.Template.MaxInstances, err = strconv.Atoi(value)
	default:
		err = errors.New("what is this?")
	}
	return err
}

func (b *branch) plainWord(w string) error {
	switch w {
	case "announces":
		b.role.announces = true
		return nil
	case "significant":
		b.Significant = true
		return nil
	case "stay-down":
		b.Policy.Exhausted = strategies.StayDown
		return nil
	case "dynamic":
		b.spec = &tree.Spec{Template: &tree.Template{}}
		return nil
	}
	if b.Restart.UnmarshalText([]byte(w)) == nil {
		return nil
	}
	var s strategies.Strategy
	if s.UnmarshalText([]byte(w)) == nil {
		b.spec = &tree.Spec{Strategy: s}
		return nil
	}
	if b.spec == nil {
		return errors.New("what is this? (not a supervisor: the strategy comes first)")
	}
	if w == "unlimited" {
		b.spec.Intensity.Max = strategies.Unlimited
		return nil
	}
	most, within, ok := strings.Cut(w, "/")
	n, err := strconv.Atoi(most)
	if err != nil || !ok {
		return errors.New("what is this?")
	}
	b.spec.Intensity.Max = n
	b.spec.Intensity.Within, err = duration(within)
	return err
}

func duration(s string) (time.Duration, error) {
	switch s {
	case "infinity":
		return tree.Infinity, nil
	case "brutal":
		return tree.Brutal, nil
	}
	return time.ParseDuration(s)
}
