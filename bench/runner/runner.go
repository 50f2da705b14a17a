package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/coppice-go/coppice/bench/contest"
	"github.com/coppice-go/coppice/bench/contestants"
	"github.com/coppice-go/coppice/bench/results"
	"github.com/coppice-go/coppice/bench/workloads"
)

// Plan is what to measure, and how often.
type Plan struct {
	Workloads   []*workloads.Workload
	Contestants []*contestants.Contestant
	Full        bool          // each workload's full list of n instead of the short one
	N           []int         // these instead, for all workloads
	Length      time.Duration // of a measurement that is taken by time
	MinRuns     int           // of every cell
	MaxRuns     int           // of a cell whose figures do not become steady
	Spread      float64       // steady: the middle half of the runs lies within that part of the median
	Budget      time.Duration // no new cell begins later; 0: none
	CellTimeout time.Duration // bounds one measurement

	// Progress is told of everything that happens.
	Progress Progress
	// Keep is called with all that is known, from time to time and at the end.
	Keep func(*results.Set) error

	late map[string]int // by workload and contestant: the n that took too long
	lost time.Duration  // to those: no part of the budget
}

// Progress is what a person who waits wants to see.
type Progress interface {
	// Cell begins: number done of the pass's all.
	Cell(pass, done, all int, w *workloads.Workload, n int, contestant string)
	// Group is over for this pass, which took so long: these are the rows of the
	// first metric so far.
	Group(pass int, w *workloads.Workload, n int, rows []results.Row, took time.Duration)
	// Failed is a cell that has gone wrong.
	Failed(w *workloads.Workload, n int, contestant string, err error)
}

// errBudget is why a run ends that has used up its time.
var errBudget = errors.New("the time budget is used up")

// group is a workload with one n: its cells take turns in every pass.
type group struct {
	workload *workloads.Workload
	n        int
	cells    []*cell
}

type cell struct {
	contestant *contestants.Contestant
	none       string
	values     map[string][]float64 // by metric
}

// Run carries the plan out. Pass after pass, every group has its contestants in
// turn, each pass another first, until each cell is steady. It returns what was measured also when ctx
// ends, and then says so in About.Partial.
func (p *Plan) Run(ctx context.Context, about results.About) (*results.Set, error) {
	groups := p.groups(&about)
	p.late, p.lost = make(map[string]int), 0
	begin := time.Now()
	keep := func() (*results.Set, error) {
		about.Took = time.Since(begin).Round(time.Second).String()
		set := rows(groups, about)
		if p.Keep == nil {
			return set, nil
		}
		return set, p.Keep(set)
	}
	for pass := 1; pass <= p.MaxRuns; pass++ {
		due := p.due(groups, pass)
		done, all := 0, 0
		for _, g := range due {
			all += len(g.cells)
		}
		for _, g := range due {
			err := p.turns(ctx, g, pass, done, all, begin)
			if err != nil {
				about.Partial = err.Error()
			}
			if set, err2 := keep(); err != nil || err2 != nil {
				return set, err2
			}
			done += len(g.cells)
		}
	}
	return keep()
}

// groups are all there is to do. Contestants that cannot run here have their
// reason in every cell.
func (p *Plan) groups(about *results.About) (all []*group) {
	missing := make(map[string]string)
	for _, c := range p.Contestants {
		if c.Program != nil {
			version, err := c.Program.Version()
			if err != nil {
				missing[c.Name] = err.Error()
			} else {
				about.Versions[c.Versioned()] = version
			}
		}
	}
	for _, w := range p.Workloads {
		for _, n := range p.numbers(w) {
			g := &group{workload: w, n: n}
			for _, c := range p.Contestants {
				g.cells = append(g.cells, &cell{contestant: c, none: missing[c.Name], values: make(map[string][]float64)})
			}
			all = append(all, g)
		}
	}
	return all
}

func (p *Plan) numbers(w *workloads.Workload) []int {
	switch {
	case len(p.N) > 0:
		return p.N
	case p.Full:
		return w.Full
	}
	return w.Short
}

// due are the groups to be run in the pass. A group goes on as a whole as long as
// one of its cells is not steady, so that all have the same number of runs, taken
// at the same times.
func (p *Plan) due(groups []*group, pass int) (due []*group) {
	for _, g := range groups {
		runs, steady := 0, true
		for _, c := range g.cells {
			if c.none == "" {
				runs++
				steady = steady && p.steady(g.workload.Metrics[0], c)
			}
		}
		if runs > 0 && (pass <= p.MinRuns || !steady) {
			due = append(due, g)
		}
	}
	return due
}

func (p *Plan) steady(m workloads.Metric, c *cell) bool {
	v := c.values[m.Name]
	s := results.Spread(v)
	return s <= p.Spread || s*results.Median(v) <= m.Noise
}

// turns runs every cell of the group once.
func (p *Plan) turns(ctx context.Context, g *group, pass, done, all int, begin time.Time) error {
	since := time.Now()
	first := (pass - 1) % len(g.cells)
	for i, c := range slices.Concat(g.cells[first:], g.cells[:first]) {
		done++
		if c.none != "" {
			continue
		}
		if p.Budget > 0 && time.Since(begin)-p.lost >= p.Budget {
			return errBudget
		}
		p.Progress.Cell(pass, done, all, g.workload, g.n, c.contestant.Name)
		if pass == 1 && i == 0 && g.workload.Children {
			// On a virtual machine the first use of memory costs much more than any
			// later one, by whatever process: this run does not count.
			p.run(ctx, g, c)
			clear(c.values)
		}
		if c.none == "" {
			p.run(ctx, g, c)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	p.Progress.Group(pass, g.workload, g.n, g.rows(g.workload.Metrics[:1]), time.Since(since))
	return nil
}

// perChildMB is more than a child needs, of a contestant that is frugal.
const perChildMB = 5.0 / 1024

func (p *Plan) run(ctx context.Context, g *group, c *cell) {
	if need, has := float64(g.n)*perChildMB, results.AvailableMB(); g.workload.Children && has > 0 && need > float64(has) {
		c.none = fmt.Sprintf("not run: needs some %.0f MB of memory", need)
		return
	}
	key := g.workload.Name + " " + c.contestant.Name
	if n, late := p.late[key]; late && n < g.n && len(c.values) == 0 {
		c.none = fmt.Sprintf("not run: not done in time with n = %d", n)
		return
	}
	req := contest.Request{Workload: g.workload.Name, N: g.n, Millis: int(p.Length.Milliseconds())}
	since := time.Now()
	samples, none, err := measure(ctx, c.contestant, req, p.CellTimeout)
	if ctx.Err() != nil {
		return
	}
	if errors.Is(err, errTimeout) {
		p.late[key] = g.n
		p.lost += time.Since(since)
	}
	if err == nil && none == "" {
		err = g.check(samples)
	}
	switch {
	case err != nil:
		c.none = line("failed: " + err.Error())
		p.Progress.Failed(g.workload, g.n, c.contestant.Name, errors.New(line(err.Error())))
	case none != "":
		c.none = line(none)
	}
	for _, s := range samples {
		c.values[s.Metric] = append(c.values[s.Metric], s.Value)
	}
}

// check finds what is wrong with an answer. Metrics may be missing, the first one not.
func (g *group) check(samples []contest.Sample) error {
	seen := make(map[string]bool)
	for _, s := range samples {
		switch _, ok := g.workload.Metric(s.Metric); {
		case !ok:
			return fmt.Errorf("%s has no metric %q", g.workload.Name, s.Metric)
		case seen[s.Metric]:
			return fmt.Errorf("metric %q comes twice", s.Metric)
		}
		seen[s.Metric] = true
	}
	if first := g.workload.Metrics[0].Name; !seen[first] {
		return fmt.Errorf("no figure of metric %q", first)
	}
	return nil
}

// line is the text on one line, which is not too long.
func line(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > 300 {
		text = string(r[:300]) + "…"
	}
	return text
}

// rows are the figures so far.
func rows(groups []*group, about results.About) *results.Set {
	s := &results.Set{About: about}
	for _, g := range groups {
		s.Rows = append(s.Rows, g.rows(g.workload.Metrics)...)
	}
	return s
}

func (g *group) rows(metrics []workloads.Metric) (rows []results.Row) {
	for _, c := range g.cells {
		row := results.Row{Workload: g.workload.Name, Contestant: c.contestant.Name, N: g.n}
		if c.none != "" {
			row.None = c.none
			rows = append(rows, row)
			continue
		}
		for _, m := range metrics {
			if v := c.values[m.Name]; len(v) > 0 {
				row.Metric, row.Unit = m.Name, m.Unit
				rows = append(rows, row.Summary(v))
			}
		}
	}
	return rows
}
