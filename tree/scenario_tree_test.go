package tree_test

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

// plant reads a tree: a line for each child, those of a supervisor below it and
// further in. The first word is the name, the others say what differs from the
// defaults:
//
//	one-for-one one-for-all rest-for-one dynamic   a supervisor
//	3/10s unlimited any-significant all-significant   of a supervisor
//	transient temporary significant announces
//	shutdown=2s shutdown=brutal start-timeout=1s heartbeat=1s
//	delay=1s backoff=1s..8s max-restarts=2 stay-down abandon
//
// A dynamic supervisor has one child, called *, which is the template.
func (s *scene) plant(text string) (tree.Child, error) {
	lines, depth := words(text)
	if len(lines) == 0 {
		return tree.Child{}, fmt.Errorf("no tree")
	}
	child, used, err := s.read(lines, depth)
	if err == nil && used != len(lines) {
		err = fmt.Errorf("more than one tree: %q", strings.Join(lines[used], " "))
	}
	return child, err
}

// read reads one child and those below it, and tells how many lines that were.
func (s *scene) read(lines [][]string, depth []int) (tree.Child, int, error) {
	c := tree.Child{Name: lines[0][0]}
	var spec tree.Spec
	supervisor, dynamic, announces := false, false, false
	for _, word := range lines[0][1:] {
		switch word {
		case "dynamic":
			supervisor, dynamic = true, true
		case "one-for-one", "one-for-all", "rest-for-one":
			supervisor = true
			if err := spec.Strategy.UnmarshalText([]byte(word)); err != nil {
				return c, 0, err
			}
		case "announces":
			announces = true
		default:
			if err := option(&c, &spec, word); err != nil {
				return c, 0, fmt.Errorf("%s: %q: %w", c.Name, word, err)
			}
		}
	}
	used := 1
	for used < len(lines) && depth[used] > depth[0] {
		below, n, err := s.read(lines[used:], depth[used:])
		if err != nil {
			return c, 0, err
		}
		if dynamic {
			below.Name = ""
			spec.Template = &tree.Template{Child: below}
		} else {
			spec.Children = append(spec.Children, below)
		}
		used += n
	}
	c.Service = &sceneService{s, announces}
	if supervisor {
		c.Service = spec
	}
	return c, used, nil
}

// option reads a word that says what differs from the defaults.
func option(c *tree.Child, spec *tree.Spec, word string) error {
	key, value, _ := strings.Cut(word, "=")
	durations := map[string]*time.Duration{
		"shutdown": &c.Shutdown, "start-timeout": &c.StartTimeout, "heartbeat": &c.Heartbeat, "delay": &c.Policy.Delay,
	}
	switch {
	case word == "shutdown=brutal":
		c.Shutdown = tree.Brutal
	case word == "shutdown=infinity":
		c.Shutdown = tree.Infinity
	case durations[key] != nil:
		d, err := time.ParseDuration(value)
		*durations[key] = d
		return err
	case word == "unlimited":
		spec.Intensity = unlimited
	case word == "any-significant":
		spec.AutoShutdown = tree.AnySignificant
	case word == "all-significant":
		spec.AutoShutdown = tree.AllSignificant
	case word == "significant":
		c.Significant = true
	case word == "abandon":
		c.OnStuck = tree.StuckAbandon
	case word == "stay-down":
		c.Policy.Exhausted = strategies.StayDown
	case key == "max-restarts":
		n, err := strconv.Atoi(value)
		c.Policy.MaxRestarts = n
		return err
	case key == "backoff":
		from, to, _ := strings.Cut(value, "..")
		first, err := time.ParseDuration(from)
		if err != nil {
			return err
		}
		last, err := time.ParseDuration(to)
		c.Policy.Backoff = strategies.Backoff{Initial: first, Max: last, Jitter: strategies.NoJitter}
		return err
	case strings.Contains(word, "/"):
		most, within, _ := strings.Cut(word, "/")
		n, err := strconv.Atoi(most)
		if err != nil {
			return err
		}
		spec.Intensity.Max = n
		spec.Intensity.Within, err = time.ParseDuration(within)
		return err
	default:
		return c.Restart.UnmarshalText([]byte(word))
	}
	return nil
}
