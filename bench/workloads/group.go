package workloads

import (
	"strconv"
	"time"

	"github.com/coppice-go/coppice/bench/contest"
)

const rounds = 5 // failures in a run, after one that is not counted

var oneForAll = &Workload{
	Name: "one-for-all", N: "children", Children: true,
	About: "One of n children under a one-for-all supervisor returns an error (protoactor: panics), the one in the " +
		"middle. Timed from just before that until all n have entered their code again; median of 5 after one that is " +
		"not counted; by child.",
	Metrics: []Metric{{Name: "restart", Unit: "us/child", About: "failure until all are up again, by child", Plot: true}},
	Short:   []int{10, 1_000, 10_000}, Full: []int{10, 1_000, 10_000, 100_000},
	Run: func(e *Env) error { return e.group(contest.OneForAll, e.N) },
}

var restForOne = &Workload{
	Name: "rest-for-one", N: "children", Children: true,
	About: "The same with a rest-for-one supervisor: the child in the middle and those after it are restarted. By child " +
		"that is.",
	Metrics: []Metric{
		{Name: "restart", Unit: "us/child", About: "failure until the rest is up again, by child of the rest", Plot: true},
	},
	Short: []int{1_000, 10_000}, Full: []int{10, 1_000, 10_000, 100_000},
	Run: func(e *Env) error { return e.group(contest.RestForOne, e.N-e.N/2) },
}

// group lets the child in the middle fail and waits for restarted children.
func (e *Env) group(s contest.Strategy, restarted int) error {
	var c crowd
	kids := idlers(e.N, &c)
	middle := kids[e.N/2].Victim()
	t, err := e.start(&contest.Spec{Strategy: s, Failure: contest.Anyhow, Children: kids}, &c)
	if err != nil {
		return err
	}
	took, err := c.failures(middle, restarted)
	if err != nil {
		return err
	}
	e.report("restart", median(took)/float64(restarted))
	return e.end(t)
}

// failures makes child fail again and again and returns how long, in
// microseconds, it took each time until n children had come up.
func (c *crowd) failures(child *contest.Child, n int) (took []float64, err error) {
	for i := range rounds + 1 {
		c.expect(n)
		child.Fail(contest.Anyhow)
		if err := c.wait(); err != nil {
			return nil, err
		}
		if d := time.Since(child.Died()); i > 0 {
			took = append(took, micros(d))
		}
		time.Sleep(time.Millisecond) // until the supervisor itself is done, too
	}
	return took, nil
}

var escalation = &Workload{
	Name: "escalation", N: "levels",
	About: "n supervisors, each the last child of the one above it, none of which allows a restart; below a root that " +
		"does. Each has three workers before it, the lowest has one, which returns an error: it climbs n levels, and " +
		"the root restarts all. Timed from just before that until all workers have entered their code again; median " +
		"of 5 after one that is not counted.",
	Metrics: []Metric{{Name: "restart", Unit: "us", About: "failure until all are up again", Plot: true}},
	Short:   []int{3, 10}, Full: []int{3, 10, 30},
	Run: func(e *Env) error {
		var c crowd
		lowest := (&contest.Child{Name: "worker", Rise: &c}).Victim()
		spec := &contest.Spec{GiveUp: true, Failure: contest.Anyhow, Children: []*contest.Child{lowest}}
		for i := range e.N {
			above := &contest.Spec{GiveUp: i < e.N-1, Failure: contest.Anyhow}
			if i < e.N-1 {
				above.Children = idlers(3, &c)
			}
			above.Children = append(above.Children, &contest.Child{Name: "sup" + strconv.Itoa(i), Sub: spec})
			spec = above
		}
		t, err := e.start(spec, &c)
		if err != nil {
			return err
		}
		took, err := c.failures(lowest, workers(spec))
		if err != nil {
			return err
		}
		e.report("restart", median(took))
		return e.end(t)
	},
}
