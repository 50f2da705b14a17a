package tree_test

import (
	"fmt"
	"path"
	"strings"
	"sync"

	"github.com/coppice-go/coppice/tree"
)

// checker follows the events of a tree and notices what must never happen.
type checker struct {
	mu     sync.Mutex
	seq    uint64
	alive  map[string]int // incarnation, by path, from its start on
	ready  map[string]int
	last   map[string]int     // incarnation started last, by path
	ending map[string]bool    // supervisors that stop their children
	stuck  map[[2]string]bool // path and incarnation given up
	events int
	wrong  []string
}

func newChecker() *checker {
	return &checker{
		alive: map[string]int{}, ready: map[string]int{}, last: map[string]int{}, ending: map[string]bool{}, stuck: map[[2]string]bool{},
	}
}

func (c *checker) fail(e tree.Event, format string, args ...any) {
	if len(c.wrong) < 20 {
		c.wrong = append(c.wrong, fmt.Sprintf("%d: %s#%d %v: ", e.Seq, e.Path, e.Incarnation, e.Kind)+fmt.Sprintf(format, args...))
	}
}

func (c *checker) see(e tree.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events++
	if e.Seq != c.seq+1 {
		c.fail(e, "%d events lost", e.Seq-c.seq-1)
	}
	c.seq = e.Seq
	switch e.Kind {
	case tree.ChildStarting:
		c.starting(e)
	case tree.ChildStarted:
		if c.alive[e.Path] != e.Incarnation {
			c.fail(e, "was not starting: %d", c.alive[e.Path])
		}
		c.ready[e.Path] = e.Incarnation
	case tree.ChildIgnored, tree.StartFailed:
		c.gone(e.Path)
	case tree.ChildEnded:
		if c.alive[e.Path] != e.Incarnation {
			c.fail(e, "was not alive: %d", c.alive[e.Path])
		}
		c.gone(e.Path)
	case tree.ChildStuck:
		c.gone(e.Path)
		c.stuck[key(e)] = true
	case tree.LateEnd:
		if !c.stuck[key(e)] {
			c.fail(e, "was not stuck")
		}
		delete(c.stuck, key(e))
	case tree.SupervisorEnding:
		if c.ending[e.Path] {
			c.fail(e, "ends twice")
		}
		c.ending[e.Path] = true
	case tree.RestartPlanned:
		if e.Max >= 0 && e.Used > e.Max {
			c.fail(e, "%d of %d", e.Used, e.Max)
		}
	}
}

func key(e tree.Event) [2]string { return [2]string{e.Path, fmt.Sprint(e.Incarnation)} }

func (c *checker) starting(e tree.Event) {
	sup := path.Dir(e.Path)
	if c.ending[sup] {
		c.fail(e, "its supervisor is stopping")
	}
	if n := c.alive[e.Path]; n != 0 {
		c.fail(e, "beside %d", n)
	}
	for p := range c.alive {
		if path.Dir(p) == sup && c.ready[p] == 0 {
			c.fail(e, "while %s is not ready", p)
		}
		if strings.HasPrefix(p, e.Path+"/") {
			c.fail(e, "while %s is alive", p)
		}
	}
	if e.Incarnation <= c.last[e.Path] && !strings.Contains(e.Path, "/x") { // an x may be deleted, and added anew
		c.fail(e, "was told before")
	}
	c.last[e.Path] = e.Incarnation
	c.alive[e.Path] = e.Incarnation
	delete(c.ending, e.Path)
}

// gone is the end of what was alive at path: nothing below it may be.
func (c *checker) gone(p string) {
	delete(c.alive, p)
	delete(c.ready, p)
	for below := range c.alive {
		if strings.HasPrefix(below, p+"/") {
			c.wrong = append(c.wrong, fmt.Sprintf("%s has ended before %s", p, below))
		}
	}
}

// verdict is what was wrong, once the tree has ended.
func (c *checker) verdict() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for p := range c.alive {
		c.wrong = append(c.wrong, p+" is alive after the end")
	}
	return c.wrong
}
