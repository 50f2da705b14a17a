package report

import (
	"fmt"
	"strings"

	"github.com/coppice-go/coppice/bench/results"
)

// target is what Coppice's figure of a workload should come to, for each n: as
// many times as good as that of others as atLeast says; or, if there are none, no
// more than atMost of what than is.
type target struct {
	text             string
	workload, metric string
	n                []int
	against          []string // the best of them counts
	atLeast          float64
	atMost           float64
	than             reference
}

// reference is a figure of Coppice itself: another metric, or the same with
// another n; the number one if it is zero.
type reference struct {
	metric string
	n      int
}

var (
	erlang = []string{"otp", "otp-dynamic"}
	suture = []string{"suture"}
	proto  = []string{"protoactor"}
	byHand = []string{"floor"}
)

// targets are those that the project has set itself.
var targets = []target{
	{"start ≥ 1.2 × the faster of OTP's two supervisors", "start-stop", "start", []int{10_000, 100_000}, erlang, 1.2, 0, reference{}},
	{"start not below OTP's at a million", "start-stop", "start", []int{1_000_000}, erlang, 1, 0, reference{}},
	{"start not below suture's", "start-stop", "start", []int{10_000, 100_000, 1_000_000}, suture, 1, 0, reference{}},
	{"stop ≥ 1.5 × OTP's", "start-stop", "stop", []int{10_000, 100_000, 1_000_000}, erlang, 1.5, 0, reference{}},
	{"cost of a start linear: by child at most 2 × that at 10k", "start-stop", "start", []int{100_000, 1_000_000}, nil, 0, 2, reference{n: 10_000}},
	{"cost of a stop linear: by child at most 2 × that at 10k", "start-stop", "stop", []int{100_000, 1_000_000}, nil, 0, 2, reference{n: 10_000}},
	{"memory ≤ 3,900 B resident for a child, context and labels included", "memory", "rss", []int{100_000, 1_000_000}, nil, 0, 3900, reference{}},
	{"an idle tree uses no CPU: at most 1 ms in a second", "idle", "cpu", []int{100_000}, nil, 0, 1, reference{}},
	{"restart after an error, p50 ≤ 2 × suture's", "crash-error", "p50", []int{10}, suture, 1.0 / 2, 0, reference{}},
	{"the same, flat: at most 1.5 × that with 10 siblings", "crash-error", "p50", []int{10_000, 100_000}, nil, 0, 1.5, reference{n: 10}},
	{"the same, p99 ≤ 4 × suture's", "crash-error", "p99", []int{10}, suture, 1.0 / 4, 0, reference{}},
	{"restart after a panic, faster than suture's", "crash-panic", "p50", []int{10, 10_000, 100_000}, suture, 1, 0, reference{}},
	{"one-for-all ≤ 0.6 × OTP's", "one-for-all", "restart", []int{10, 1_000, 10_000, 100_000}, erlang, 1 / 0.6, 0, reference{}},
	{"rest-for-one ≤ 0.6 × OTP's", "rest-for-one", "restart", []int{10, 1_000, 10_000, 100_000}, erlang, 1 / 0.6, 0, reference{}},
	{"one-for-all linear: by child at most 2 × that with 1k", "one-for-all", "restart", []int{10_000, 100_000}, nil, 0, 2, reference{n: 1_000}},
	{"rest-for-one linear: by child at most 2 × that with 1k", "rest-for-one", "restart", []int{10_000, 100_000}, nil, 0, 2, reference{n: 1_000}},
	{"escalation through 10 levels ≤ 0.7 × OTP's", "escalation", "restart", []int{10}, erlang, 1 / 0.7, 0, reference{}},
	{"storm: restarts in a second ≥ suture's", "storm-error", "restarts", []int{1_000}, suture, 1, 0, reference{}},
	{"storm: an innocent sibling's restart ≤ 3 × its calm one", "storm-error", "innocent_p50", []int{1_000}, nil, 0, 3, reference{metric: "calm_p50"}},
	{"snapshot ≤ 0.2 × the faster of OTP's which_children", "snapshot", "list", []int{100_000}, erlang, 5, 0, reference{}},
	{"a snapshot is not in the way of restarts: at most 2 × the calm one", "snapshot", "busy_p50", []int{100_000}, nil, 0, 2, reference{metric: "calm_p50"}},
	{"churn by 8 callers ≥ 1.5 × OTP's", "churn", "pairs", []int{8}, erlang, 1.5, 0, reference{}},
	{"churn by 8 callers ≥ suture's", "churn", "pairs", []int{8}, suture, 1, 0, reference{}},
	{"tell within 3 % of an unsupervised actor's", "message", "tell", nil, proto, 0.97, 0, reference{}},
	{"a round trip within 3 % of an unsupervised actor's", "message", "pingpong", nil, proto, 0.97, 0, reference{}},
	{"a call within 3 % of an unsupervised actor's", "message", "call", nil, proto, 0.97, 0, reference{}},
	{"a round trip not below OTP's", "message", "pingpong", nil, erlang, 1, 0, reference{}},
	{"a call not below OTP's", "message", "call", nil, erlang, 1, 0, reference{}},
	{"process killed to running again ≤ 1.3 × a loop around os/exec", "process", "p50", nil, byHand, 1 / 1.3, 0, reference{}},
	{"output by line ≥ 0.7 × a bufio.Scanner's", "output-lines", "lines", nil, byHand, 0.7, 0, reference{}},
}

// verdict is how a target came out for one n.
type verdict struct {
	N             int
	Ours, Theirs  results.Row
	Ratio, Wanted float64
	Met           bool
}

// check computes the target for each n that there are figures for.
func (t *target) check(s *results.Set) (all []verdict) {
	numbers := t.n
	if numbers == nil {
		numbers = distinct(of(s, t.workload), func(r results.Row) int { return r.N })
	}
	for _, n := range numbers {
		ours, ok := s.Find(t.workload, us, n, t.metric)
		if !ok {
			continue
		}
		v := verdict{N: n, Ours: ours}
		if len(t.against) > 0 {
			if v.Theirs, ok = best(s, t.workload, n, t.metric, t.against); !ok {
				continue
			}
			v.Ratio, v.Wanted = Advantage(ours, v.Theirs), t.atLeast
			v.Met = v.Ratio >= t.atLeast
		} else {
			if v.Theirs, ok = t.than.find(s, ours); !ok {
				continue
			}
			v.Ratio, v.Wanted = ours.Value/v.Theirs.Value, t.atMost
			v.Met = v.Ratio <= t.atMost
		}
		all = append(all, v)
	}
	return all
}

func (r reference) find(s *results.Set, ours results.Row) (results.Row, bool) {
	if r == (reference{}) {
		return results.Row{Value: 1}, true
	}
	metric, n := ours.Metric, ours.N
	if r.metric != "" {
		metric = r.metric
	}
	if r.n != 0 {
		n = r.n
	}
	return s.Find(ours.Workload, us, n, metric)
}

// best is the best figure of those contestants.
func best(s *results.Set, workload string, n int, metric string, contestants []string) (b results.Row, found bool) {
	for _, c := range contestants {
		if r, ok := s.Find(workload, c, n, metric); ok && (!found || Advantage(r, b) > 1) {
			b, found = r, true
		}
	}
	return b, found
}

// String tells the figures: "3.1 us to otp's 4.2, 1.35 ×".
func (t *target) tell(v verdict) string {
	text := Figure(v.Ours.Value) + " " + v.Ours.Unit
	switch {
	case len(t.against) > 0:
		text += fmt.Sprintf(" to %s's %s: %s×, wanted %s×", v.Theirs.Contestant, Figure(v.Theirs.Value), Figure(v.Ratio), Figure(v.Wanted))
	case t.than != (reference{}):
		text += fmt.Sprintf(" to %s: %s×", Figure(v.Theirs.Value), Figure(v.Ratio))
	}
	return Number(v.N) + ": " + text
}

// Targets is a table of all targets that there are figures for, and how many of
// them are met.
func Targets(s *results.Set) (table string, met, all int) {
	var b strings.Builder
	b.WriteString("| target | | by n |\n|---|---|---|\n")
	for _, t := range targets {
		verdicts := t.check(s)
		if len(verdicts) == 0 {
			fmt.Fprintf(&b, "| %s | no figures | |\n", t.text)
			continue
		}
		all++
		holds, texts := true, []string(nil)
		for _, v := range verdicts {
			text := t.tell(v)
			if !v.Met {
				holds, text = false, "**"+text+"**"
			}
			texts = append(texts, text)
		}
		answer := "**not met**"
		if holds {
			answer = "met"
			met++
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", t.text, answer, strings.Join(texts, "; "))
	}
	return b.String(), met, all
}
