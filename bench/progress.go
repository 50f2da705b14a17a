package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/coppice-go/coppice/bench/report"
	"github.com/coppice-go/coppice/bench/results"
	"github.com/coppice-go/coppice/bench/workloads"
)

// progress writes a line for every group of cells, and on a terminal what is
// being measured.
type progress struct {
	w        io.Writer
	terminal bool
	shown    bool // a line that will be overwritten
}

func newProgress(w io.Writer) *progress {
	p := &progress{w: w}
	if f, ok := w.(*os.File); ok {
		info, err := f.Stat()
		p.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
	}
	return p
}

// What terminals do: erase the line; cut what is too long for it, or not.
const (
	eraseLine = "\r\x1b[K"
	wrapOff   = "\x1b[?7l"
	wrapOn    = "\x1b[?7h"
)

func (p *progress) Cell(pass, done, all int, w *workloads.Workload, n int, contestant string) {
	if p.terminal {
		fmt.Fprintf(p.w, "%s%spass %d, %d of %d: %s %s %s …%s", eraseLine, wrapOff, pass, done, all, w.Name, report.Number(n), contestant, wrapOn)
		p.shown = true
	}
}

func (p *progress) Group(pass int, w *workloads.Workload, n int, rows []results.Row, took time.Duration) {
	var b strings.Builder
	m := w.Metrics[0]
	fmt.Fprintf(&b, "%d  %-13s %-5s %s, %s:", pass, w.Name, report.Number(n), m.Name, m.Unit)
	for _, r := range rows {
		if r.None == "" {
			fmt.Fprintf(&b, "  %s %s", r.Contestant, report.Figure(r.Value))
		}
	}
	fmt.Fprintf(&b, "  (%.1f s)", took.Seconds())
	p.line(b.String())
}

func (p *progress) Failed(w *workloads.Workload, n int, contestant string, err error) {
	p.line(fmt.Sprintf("%s %s %s: %v", w.Name, report.Number(n), contestant, err))
}

func (p *progress) line(s string) {
	p.end()
	fmt.Fprintln(p.w, s)
}

// end wipes the line that would have been overwritten.
func (p *progress) end() {
	if p.shown {
		fmt.Fprint(p.w, eraseLine)
		p.shown = false
	}
}
