// Package report makes of results what people read: tables, plots, and the
// document about performance.
package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/coppice-go/coppice/bench/results"
)

// us is whom the ratios are about.
const us = "coppice"

// Number writes 10000 as 10k.
func Number(n int) string {
	switch {
	case n >= 1_000_000 && n%1_000_000 == 0:
		return strconv.Itoa(n/1_000_000) + "M"
	case n >= 1_000 && n%1_000 == 0:
		return strconv.Itoa(n/1_000) + "k"
	}
	return strconv.Itoa(n)
}

// Figure writes three significant digits, in thousands and millions where large.
func Figure(v float64) string {
	unit := ""
	switch a := math.Abs(v); {
	case a >= 1e15:
		return strconv.FormatFloat(v, 'g', 3, 64)
	case a >= 1e6:
		v, unit = v/1e6, "M"
	case a >= 1e4:
		v, unit = v/1e3, "k"
	}
	digits := 2
	for a := math.Abs(v); a > 0 && a < 0.995 && digits < 6; a *= 10 {
		digits++
	}
	for a := math.Abs(v); a >= 10 && digits > 0; a /= 10 {
		digits--
	}
	return strconv.FormatFloat(v, 'f', digits, 64) + unit
}

// Advantage is how many times as good a is as b: above 1, a is better.
func Advantage(a, b results.Row) float64 {
	if results.HigherIsBetter(a.Unit) {
		return a.Value / b.Value
	}
	return b.Value / a.Value
}

// sections returns the names of the workloads, in order.
func sections(s *results.Set) []string {
	return distinct(s.Rows, func(r results.Row) string { return r.Workload })
}

func distinct[T comparable](rows []results.Row, key func(results.Row) T) (all []T) {
	for _, r := range rows {
		if k := key(r); !slices.Contains(all, k) {
			all = append(all, k)
		}
	}
	return all
}

func of(s *results.Set, workload string) (rows []results.Row) {
	for _, r := range s.Rows {
		if r.Workload == workload {
			rows = append(rows, r)
		}
	}
	return rows
}

// Tables is everything as Markdown.
func Tables(s *results.Set) string {
	var b strings.Builder
	for _, w := range sections(s) {
		fmt.Fprintf(&b, "### %s\n\n%s\n", w, Table(s, w))
	}
	return b.String()
}

// Table shows a workload: a line for each n and metric, a column for each
// contestant. Behind the figure of another stands how many times as good
// Coppice's is, in bold where it is worse.
func Table(s *results.Set, workload string) string {
	rows := of(s, workload)
	contestants := distinct(rows, func(r results.Row) string { return r.Contestant })
	var b strings.Builder
	b.WriteString("| n | | " + strings.Join(contestants, " | ") + " |\n|--:|---" + strings.Repeat("|---", len(contestants)) + "|\n")
	for _, n := range distinct(rows, func(r results.Row) int { return r.N }) {
		for _, metric := range distinct(rows, func(r results.Row) string { return r.Metric }) {
			if metric == "" {
				continue
			}
			line, some := "", false
			for _, c := range contestants {
				text := entry(s, workload, c, n, metric)
				some = some || text != "" && text != unknown
				line += " " + text + " |"
			}
			if some {
				fmt.Fprintf(&b, "| %s | %s, %s |%s\n", Number(n), metric, unitOf(rows, metric), line)
			}
		}
	}
	for _, r := range distinct(rows, func(r results.Row) results.Row { return results.Row{Contestant: r.Contestant, None: r.None} }) {
		if r.None == "" || r.None == hasNone {
			continue
		}
		var numbers []string
		for _, at := range rows {
			if at.Contestant == r.Contestant && at.None == r.None {
				numbers = append(numbers, Number(at.N))
			}
		}
		fmt.Fprintf(&b, "\n* %s, n = %s: %s\n", r.Contestant, strings.Join(numbers, ", "), r.None)
	}
	return b.String()
}

// What stands where there is no figure: the contestant lacks what it takes, or the
// reason stands below the table.
const (
	hasNone = "has none"
	unknown = "–"
)

// entry is one field of the table.
func entry(s *results.Set, workload, contestant string, n int, metric string) string {
	r, ok := s.Find(workload, contestant, n, metric)
	if !ok {
		none, ok := s.Find(workload, contestant, n, "")
		switch {
		case !ok:
			return ""
		case none.None == hasNone:
			return hasNone
		}
		return unknown
	}
	text := Figure(r.Value)
	ours, ok := s.Find(workload, us, n, metric)
	if !ok || contestant == us || math.Abs(ours.Value-r.Value) <= noiseOf(workload, metric) || r.Value == 0 {
		return text
	}
	a := Advantage(ours, r)
	if math.IsInf(a, 0) || math.IsNaN(a) || a < 0 {
		return text
	}
	ratio := Figure(a) + "×"
	if a < 0.995 {
		ratio = "**" + ratio + "**"
	}
	return text + " (" + ratio + ")"
}

func unitOf(rows []results.Row, metric string) string {
	for _, r := range rows {
		if r.Metric == metric {
			return r.Unit
		}
	}
	return ""
}
