// Package workloads is what is measured. Each workload is data: a name, one
// definition that holds for every contestant, the figures it yields, and the
// numbers it is run with; and a function that takes the figures from a contestant
// written in Go. Contestants in other languages implement the same definitions.
package workloads

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/coppice-go/coppice/bench/contest"
)

// Workload is one thing to measure.
type Workload struct {
	Name    string
	N       string // what n counts
	About   string // the definition
	Metrics []Metric
	// Children tells that n is a number of children, whose memory must be there.
	Children bool
	Short    []int // the n of a short run
	Full     []int // and of a full one
	Run      func(*Env) error
}

// Metric is one figure of a workload. The first of a workload decides whether it
// has been run often enough.
type Metric struct {
	Name  string
	Unit  string // a rate, better when higher, ends in "/s"
	About string
	Plot  bool    // worth a picture over n
	Noise float64 // differences of no more than this are none
}

// Metric returns the metric of that name.
func (w *Workload) Metric(name string) (Metric, bool) {
	i := slices.IndexFunc(w.Metrics, func(m Metric) bool { return m.Name == name })
	if i < 0 {
		return Metric{}, false
	}
	return w.Metrics[i], true
}

// All workloads, in the order in which they are run and shown.
var All = []*Workload{
	startStop, memory, idle,
	crashByError, crashByPanic, stormByError, stormByPanic,
	oneForAll, restForOne, escalation,
	churn, snapshot,
	message,
	process, outputLines, outputBytes,
}

// Find returns the workload of that name, or nil.
func Find(name string) *Workload {
	for _, w := range All {
		if w.Name == name {
			return w
		}
	}
	return nil
}

// Env is what a workload runs in: a process of its own.
type Env struct {
	contest.Request
	Adapter contest.Adapter

	samples []contest.Sample
}

// Measure runs the workload that req names and returns its figures. The error
// is contest.ErrHasNone if the adapter lacks what it takes.
func Measure(a contest.Adapter, req contest.Request) ([]contest.Sample, error) {
	w := Find(req.Workload)
	if w == nil {
		return nil, fmt.Errorf("no workload %q", req.Workload)
	}
	if req.N < 1 {
		return nil, fmt.Errorf("%s: n is %d, must be at least 1", w.Name, req.N)
	}
	e := &Env{Request: req, Adapter: a}
	if err := w.Run(e); err != nil {
		return nil, err
	}
	return e.samples, nil
}

// Answer is Measure for a program: it writes lines to out.
func Answer(out io.Writer, a contest.Adapter, req contest.Request) error {
	samples, err := Measure(a, req)
	switch {
	case errors.Is(err, contest.ErrHasNone):
		samples = []contest.Sample{{None: err.Error()}}
	case err != nil:
		samples = []contest.Sample{{Error: err.Error()}}
	}
	return contest.WriteSamples(out, samples)
}

func (e *Env) report(metric string, value float64) {
	e.samples = append(e.samples, contest.Sample{Metric: metric, Value: value})
}

// each reports a duration per one of n, in microseconds.
func (e *Env) each(metric string, d time.Duration, n int) {
	e.report(metric, micros(d)/float64(n))
}

// start starts spec, all of whose children rise into the crowd.
func (e *Env) start(spec *contest.Spec, c *crowd) (contest.Tree, error) {
	c.expect(workers(spec))
	t, err := e.Adapter.Start(spec)
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, errors.New("the adapter has started nothing, without an error")
	}
	return t, c.wait()
}

// warm makes sure that what follows is not the first of its kind.
func (e *Env) warm(spec contest.Spec) error {
	var c crowd
	spec.Children = idlers(min(100, max(e.N, 2)), &c)
	t, err := e.start(&spec, &c)
	if err != nil {
		return err
	}
	return t.Stop()
}

// end stops what was measured. What takes long to stop ends with the process.
func (e *Env) end(t contest.Tree) error {
	if e.N > 1_000 {
		return nil
	}
	return t.Stop()
}

// ended finds children that run though their stop is over.
func ended(kids ...*contest.Child) error {
	n := 0
	for _, c := range kids {
		n += c.Serving()
	}
	if n > 0 {
		return fmt.Errorf("stopped, it says, but %d of %d children still run", n, len(kids))
	}
	return nil
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

// crowd counts its children as they come up.
type crowd struct {
	left atomic.Int64
	all  chan struct{}
}

// expect begins to wait for n children to come up.
func (c *crowd) expect(n int) {
	c.all = make(chan struct{})
	c.left.Store(int64(n))
}

// Up is contest.Riser.
func (c *crowd) Up(*contest.Child) contest.Failure {
	if c.left.Add(-1) == 0 {
		close(c.all)
	}
	return contest.Stay
}

// patience is how long anything is waited for: longer than whatever happens here,
// and than the runner's own patience for a cell.
const patience = 10 * time.Minute

func (c *crowd) wait() error {
	select {
	case <-c.all:
		return nil
	case <-time.After(patience):
		return fmt.Errorf("%d children have not come up", c.left.Load())
	}
}

// idlers are n children that wait for their stop.
func idlers(n int, r contest.Riser) []*contest.Child {
	block := make([]contest.Child, n)
	kids := make([]*contest.Child, n)
	for i := range kids {
		block[i].Name, block[i].Rise = "w"+strconv.Itoa(i), r
		kids[i] = &block[i]
	}
	return kids
}

// workers counts the children at the leaves.
func workers(s *contest.Spec) (n int) {
	for _, c := range s.Children {
		if c.Sub != nil {
			n += workers(c.Sub)
		} else {
			n++
		}
	}
	return n
}
