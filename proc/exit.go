package proc

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/proc/internal/keeper"
	"github.com/coppice-go/coppice/proc/internal/notify"
)

// ExitError is the abnormal end of a process.
type ExitError struct {
	Path string // as in Command.Path
	PID  int
	actor.ExitStatus

	BeforeReady bool          // it had not been ready
	LastLines   []string      // of its output, stdout and stderr, oldest first
	Status      string        // by STATUS, what it said of itself last
	Errno       syscall.Errno // by ERRNO, why it failed; 0: not told
	Dropped     int64         // lines of output that nobody has got; see Command.Overflow

	complaint string // last line of stderr
}

// Error tells the program, code or signal, the last line of stderr, of printable
// characters, and Errno if there is one, with Status.
func (e *ExitError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %v", filepath.Base(e.Path), e.ExitStatus)
	if e.BeforeReady {
		b.WriteString(" before it was ready")
	}
	if e.complaint != "" {
		fmt.Fprintf(&b, ": %s", e.complaint)
	}
	if e.Errno != 0 {
		fmt.Fprintf(&b, ": %v", told(e.Status, e.Errno))
	}
	return b.String()
}

// Unwrap returns Errno, or nil.
func (e *ExitError) Unwrap() error {
	if e.Errno == 0 {
		return nil
	}
	return e.Errno
}

// ExitCode returns Code, as os/exec's ExitError does.
func (e *ExitError) ExitCode() int { return e.Code }

// exitError reads how the process ended; nil if that is normal.
func (p *process) exitError(end actor.ExitStatus) error {
	if p.wasReady && p.cmd.expects(end) {
		return nil
	}
	e := &ExitError{Path: p.cmd.Path, PID: p.pid, ExitStatus: end, BeforeReady: !p.wasReady}
	e.LastLines, e.complaint = p.tail.lines()
	e.complaint = notify.OneLine(e.complaint)
	e.Status, e.Errno = p.notices.last()
	for _, w := range p.written() {
		e.Dropped += w.DroppedLines
	}
	return e
}

// exit is how the process has ended.
func (p *process) exit(end keeper.End) actor.ExitStatus {
	return actor.ExitStatus{
		Code: end.Code, Signal: end.Signal, Core: end.Core, User: end.User, Sys: end.Sys, MaxRSS: end.MaxRSS,
		Ran: p.endedAt.Sub(p.startedAt),
	}
}

// expects tells whether the end is a normal one.
func (c *Command) expects(end actor.ExitStatus) bool {
	if end.Signal != 0 {
		return slices.Contains(c.ExpectedSignals, end.Signal)
	}
	return end.Code == 0 || slices.Contains(c.ExpectedCodes, end.Code)
}

// expectable says why no process can end by s.
func expectable(s syscall.Signal) error {
	switch {
	case runtime.GOOS == "windows":
		return errors.New("no process ends by a signal on Windows")
	case s <= 0 || s > maxSignal:
		return fmt.Errorf("no such signal: %d", int(s))
	}
	return nil
}
