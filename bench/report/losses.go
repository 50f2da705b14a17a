package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/coppice-go/coppice/bench/results"
	"github.com/coppice-go/coppice/bench/workloads"
)

// near is what counts as equal.
const near = 0.95

// notRivals are no ways to supervise that one could choose instead: what is done
// by hand without limits, graces and states, and Coppice itself.
var notRivals = []string{us, "coppice-dynamic", "floor"}

// Losses lists, one line each, where others do better than Coppice.
func Losses(s *results.Set) (lines []string) {
	for _, w := range sections(s) {
		rows := of(s, w)
		for _, metric := range distinct(rows, func(r results.Row) string { return r.Metric }) {
			for _, c := range distinct(rows, func(r results.Row) string { return r.Contestant }) {
				if slices.Contains(notRivals, c) || metric == "" {
					continue
				}
				if where := behind(s, w, metric, c); len(where) > 0 {
					lines = append(lines, fmt.Sprintf("`%s`, %s: %s is better: %s", w, metric, c, strings.Join(where, ", ")))
				}
			}
		}
	}
	return lines
}

// behind tells by how much, for each n.
func behind(s *results.Set, workload, metric, contestant string) (where []string) {
	for _, r := range s.Rows {
		if r.Workload != workload || r.Metric != metric || r.Contestant != contestant {
			continue
		}
		ours, ok := s.Find(workload, us, r.N, metric)
		if ok && math.Abs(ours.Value-r.Value) > noiseOf(workload, metric) && r.Value > 0 && ours.Value > 0 && Advantage(ours, r) < near {
			where = append(where, fmt.Sprintf("%s× with n = %s (%s to %s %s)",
				Figure(Advantage(r, ours)), Number(r.N), Figure(r.Value), Figure(ours.Value), r.Unit))
		}
	}
	return where
}

// noiseOf is how far apart figures may be that are the same.
func noiseOf(workload, metric string) float64 {
	if w := workloads.Find(workload); w != nil {
		m, _ := w.Metric(metric)
		return m.Noise
	}
	return 0
}
