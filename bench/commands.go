package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/coppice-go/coppice/bench/contestants"
	"github.com/coppice-go/coppice/bench/report"
	"github.com/coppice-go/coppice/bench/results"
	"github.com/coppice-go/coppice/bench/workloads"
)

func runCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f, err := parseRun(args, stderr)
	if err != nil {
		return err
	}
	if f.list {
		return list(stdout)
	}
	if f.plots != "" {
		if err := os.MkdirAll(f.plots, 0o755); err != nil {
			return err
		}
		if err := results.CanWrite(filepath.Join(f.plots, "plot.svg")); err != nil {
			return err
		}
	}
	if err := results.CanWrite(f.out); err != nil { // now, not after an hour
		return err
	}
	about := results.Here()
	about.Command = f.command
	p := newProgress(stderr)
	f.plan.Progress = p
	f.plan.Keep = func(s *results.Set) error {
		if len(s.Rows) == 0 {
			return nil
		}
		return s.WriteFile(f.out)
	}
	set, err := f.plan.Run(ctx, about)
	p.end()
	fmt.Fprintln(stdout, report.Tables(set)) // whatever comes of the files
	if err != nil {
		return err
	}
	if set.About.Partial != "" {
		fmt.Fprintf(stderr, "ended early: %s\n", set.About.Partial)
	}
	if len(set.Rows) == 0 {
		return fmt.Errorf("nothing was measured; %s is as it was", f.out)
	}
	fmt.Fprintf(stderr, "%d rows in %s after %s\n", len(set.Rows), f.out, set.About.Took)
	if f.plots != "" {
		_, err = report.Plots(set, f.plots, ".svg", ".png")
	}
	return err
}

func listCommand(args []string, stdout, stderr io.Writer) error {
	if err := parse(newFlagSet("list", stderr), args); err != nil {
		return err
	}
	return list(stdout)
}

// list prints the definitions.
func list(w io.Writer) error {
	fmt.Fprint(w, "Contestants\n\n")
	for _, c := range contestants.All {
		about := c.About
		if c.Program != nil {
			if version, err := c.Program.Version(); err != nil {
				about += "; " + err.Error()
			} else {
				about += " (here: " + version + ")"
			}
		}
		fmt.Fprintf(w, "  %-16s %s\n", c.Name, about)
	}
	fmt.Fprint(w, "\nWorkloads\n")
	for _, wl := range workloads.All {
		fmt.Fprintf(w, "\n  %s, n: %s %s, full: %s\n", wl.Name, wl.N, numbers(wl.Short), numbers(wl.Full))
		for _, line := range wrap(wl.About, 96) {
			fmt.Fprintf(w, "      %s\n", line)
		}
		for _, m := range wl.Metrics {
			fmt.Fprintf(w, "    %-13s %-11s %s\n", m.Name, m.Unit, m.About)
		}
	}
	return nil
}

func numbers(ns []int) string {
	var all []string
	for _, n := range ns {
		all = append(all, report.Number(n))
	}
	return strings.Join(all, ",")
}

func wrap(text string, width int) (lines []string) {
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimLeft(line+" "+word, " ")
	}
	return append(lines, line)
}

// readRows reads a results file that something can be made of.
func readRows(file string) (*results.Set, error) {
	s, err := results.ReadFile(file)
	if err == nil && len(s.Rows) == 0 {
		err = fmt.Errorf("%s: has no rows", file)
	}
	return s, err
}

func tableCommand(args []string, stdout, stderr io.Writer) error {
	set := newFlagSet("table", stderr)
	in := set.String("in", "results.jsonl", "results `file`")
	if err := parse(set, args); err != nil {
		return err
	}
	s, err := readRows(*in)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, report.Tables(s))
	return err
}

func plotCommand(args []string, stdout, stderr io.Writer) error {
	set := newFlagSet("plot", stderr)
	in := set.String("in", "results.jsonl", "results `file`")
	dir := set.String("dir", "plots", "`directory` for the pictures")
	if err := parse(set, args); err != nil {
		return err
	}
	s, err := readRows(*in)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(*dir, 0o755); err != nil {
		return err
	}
	files, err := report.Plots(s, *dir, ".svg", ".png")
	for _, f := range files {
		fmt.Fprintln(stdout, f)
	}
	return err
}

func docCommand(args []string, stdout, stderr io.Writer) error {
	set := newFlagSet("doc", stderr)
	in := set.String("in", "results.jsonl", "results `file`")
	out := set.String("out", "", "the document to write, its pictures in a `directory` of its name beside it (required)")
	baseline := set.String("baseline", "baseline.txt", "output of the Go benchmarks")
	if err := parse(set, args); err != nil {
		return err
	}
	if *out == "" {
		return errors.New("doc: -out must name the file to write")
	}
	s, err := readRows(*in)
	if err != nil {
		return err
	}
	bench, err := report.ReadBenchmarks(*baseline)
	if err != nil {
		return err
	}
	pictures := strings.TrimSuffix(*out, filepath.Ext(*out))
	if err := os.MkdirAll(pictures, 0o755); err != nil {
		return err
	}
	files, err := report.Plots(s, pictures, ".svg")
	if err != nil {
		return err
	}
	text, err := report.Doc(s, bench, filepath.Base(pictures), files)
	if err != nil {
		return err
	}
	if err := os.WriteFile(*out, text, 0o644); err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, *out)
	return err
}
