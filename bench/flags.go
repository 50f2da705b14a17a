package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coppice-go/coppice/bench/contestants"
	"github.com/coppice-go/coppice/bench/runner"
	"github.com/coppice-go/coppice/bench/workloads"
)

// runFlags are the flags of a run.
type runFlags struct {
	plan        runner.Plan
	workloads   string
	contestants string
	out, plots  string
	list        bool
	command     string // that repeats the run, wherever its files go
}

func parseRun(args []string, stderr io.Writer) (*runFlags, error) {
	f := &runFlags{}
	set := newFlagSet("run", stderr)
	set.StringVar(&f.workloads, "workloads", "", "only workloads whose name matches this `regexp`")
	set.StringVar(&f.contestants, "contestants", "", "only contestants whose name matches this `regexp`")
	set.Func("n", "`numbers` instead of those of the workloads, such as 10,10k,1M", func(s string) error {
		n, err := parseNumbers(s)
		f.plan.N = append(f.plan.N, n...)
		return err
	})
	set.BoolVar(&f.plan.Full, "full", false, "the long lists of numbers, and longer measurements")
	set.IntVar(&f.plan.MinRuns, "runs", 3, "run everything at least this often")
	set.IntVar(&f.plan.MaxRuns, "max-runs", 0, "and at most this often (default: 5, full: 11)")
	set.Float64Var(&f.plan.Spread, "spread", 0.1, "stop when the middle half of the runs lies within this part of the median")
	set.DurationVar(&f.plan.Budget, "budget", 0, "begin nothing new after this time (default: 5m, full: none)")
	set.DurationVar(&f.plan.Length, "length", 0, "of a measurement that is taken by time (default: 500ms, full: 3s)")
	set.DurationVar(&f.plan.CellTimeout, "timeout", 0, "bounds one measurement (default: 1m, full: 3m)")
	set.StringVar(&f.out, "out", "results.jsonl", "results `file`, replaced as soon as there are any")
	set.StringVar(&f.plots, "plots", "", "directory for plots as SVG and PNG (default: none)")
	set.BoolVar(&f.list, "list", false, "list contestants and workloads and what each means, and do nothing")
	if err := parse(set, args); err != nil {
		return nil, err
	}
	f.command = environment() + repeats(args, "out", "plots")
	return f, f.complete()
}

// environment is what was set of what alters figures, as a shell would have it.
func environment() (set string) {
	for _, name := range []string{"GODEBUG", "GOGC", "GOMAXPROCS", "GOMEMLIMIT"} {
		if v := os.Getenv(name); v != "" {
			set += name + "=" + quoted(v) + " "
		}
	}
	return set
}

// repeats is the command line without the flags that say where files go.
func repeats(args []string, without ...string) string {
	line := []string{"go run ."}
	if raceDetector {
		line[0] = "go run -race ."
	}
	for i := 0; i < len(args); i++ {
		name, _, joined := strings.Cut(strings.TrimLeft(args[i], "-"), "=")
		if slices.Contains(without, name) {
			if !joined {
				i++
			}
			continue
		}
		line = append(line, quoted(args[i]))
	}
	return strings.Join(line, " ")
}

// quoted is s for a shell.
func quoted(s string) string {
	if strings.ContainsAny(s, " |*?()[]{}$^\\'\"&;<>") {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return s
}

// complete fills in defaults and refuses what makes no sense.
func (f *runFlags) complete() error {
	p := &f.plan
	var err error
	if p.Workloads, err = match(f.workloads, "workload", workloads.All, func(w *workloads.Workload) string { return w.Name }); err != nil {
		return fmt.Errorf("-workloads: %w", err)
	}
	if p.Contestants, err = match(f.contestants, "contestant", contestants.All, func(c *contestants.Contestant) string { return c.Name }); err != nil {
		return fmt.Errorf("-contestants: %w", err)
	}
	slices.Sort(p.N)
	p.N = slices.Compact(p.N)
	length, budget, timeout, maxRuns := 500*time.Millisecond, 5*time.Minute, time.Minute, 5
	if p.Full {
		length, budget, timeout, maxRuns = 3*time.Second, 0, 3*time.Minute, 11
	}
	if p.Length == 0 {
		p.Length = length
	}
	if p.Budget == 0 {
		p.Budget = budget
	}
	if p.CellTimeout == 0 {
		p.CellTimeout = timeout
	}
	if p.MaxRuns == 0 {
		p.MaxRuns = max(maxRuns, p.MinRuns)
	}
	switch {
	case p.MinRuns < 1:
		return fmt.Errorf("-runs: %d, must be at least 1", p.MinRuns)
	case p.MaxRuns < p.MinRuns:
		return fmt.Errorf("-max-runs: %d, must be at least -runs, %d", p.MaxRuns, p.MinRuns)
	case !(p.Spread > 0):
		return fmt.Errorf("-spread: %v, must be positive", p.Spread)
	case p.Length < 10*time.Millisecond:
		return fmt.Errorf("-length: %v, must be at least 10ms", p.Length)
	case p.Budget < 0:
		return fmt.Errorf("-budget: %v, must be positive", p.Budget)
	case p.CellTimeout <= 0:
		return fmt.Errorf("-timeout: %v, must be positive", p.CellTimeout)
	case f.out == "":
		return errors.New("-out: must name a file")
	}
	return nil
}

func newFlagSet(name string, stderr io.Writer) *flag.FlagSet {
	set := flag.NewFlagSet(name, flag.ContinueOnError)
	set.SetOutput(stderr)
	return set
}

// parse also refuses what is no flag.
func parse(set *flag.FlagSet, args []string) error {
	if err := set.Parse(args); err != nil {
		return err
	}
	if set.NArg() > 0 {
		return fmt.Errorf("%s: unexpected argument %q", set.Name(), set.Arg(0))
	}
	return nil
}

// match returns those whose names match the regular expression; all for "".
func match[T any](pattern, kind string, all []T, name func(T) string) (found []T, err error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, x := range all {
		names = append(names, name(x))
		if re.MatchString(name(x)) {
			found = append(found, x)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no %s matches %q; there are %s", kind, pattern, strings.Join(names, ", "))
	}
	return found, nil
}

// parseNumbers reads a list such as 10,10k,1M.
func parseNumbers(s string) (numbers []int, err error) {
	for text := range strings.SplitSeq(s, ",") {
		text = strings.TrimSpace(text)
		digits, factor := text, 1
		switch {
		case strings.HasSuffix(text, "k"):
			digits, factor = text[:len(text)-1], 1_000
		case strings.HasSuffix(text, "M"):
			digits, factor = text[:len(text)-1], 1_000_000
		}
		n, err := strconv.Atoi(digits)
		if err != nil || n < 1 || n > 1e9/factor {
			return nil, fmt.Errorf("%q is not a number such as 10, 10k or 1M", text)
		}
		numbers = append(numbers, n*factor)
	}
	return numbers, nil
}
