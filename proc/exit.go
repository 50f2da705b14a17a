package proc

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/coppice-go/coppice/proc/internal/keeper"
)

// ExitError is the abnormal end of a process.
type ExitError struct {
	Path   string // as in Command.Path
	PID    int
	Code   int            // exit code; -1 if a signal ended it
	Signal syscall.Signal // 0 if it exited
	Core   bool           // the signal dumped core

	BeforeReady bool          // it had not been ready
	User, Sys   time.Duration // CPU time used
	MaxRSS      int64         // the most memory it had resident, in bytes; 0 where that is not known
	Ran         time.Duration // from its start to its end
	LastLines   []string      // of its output, stdout and stderr, oldest first

	complaint string // last line of stderr
}

// Error tells the program, code or signal, and the last line of stderr.
func (e *ExitError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: ", filepath.Base(e.Path))
	switch {
	case e.Signal == 0:
		fmt.Fprintf(&b, "exit code %d", e.Code)
	case e.Core:
		fmt.Fprintf(&b, "signal: %v (core dumped)", e.Signal)
	default:
		fmt.Fprintf(&b, "signal: %v", e.Signal)
	}
	if e.BeforeReady {
		b.WriteString(" before it was ready")
	}
	if e.complaint != "" {
		fmt.Fprintf(&b, ": %s", e.complaint)
	}
	return b.String()
}

// ExitCode returns Code, as os/exec's ExitError does.
func (e *ExitError) ExitCode() int { return e.Code }

// exitError reads how the process ended; nil if that is normal.
func (p *process) exitError(end keeper.End) error {
	e := &ExitError{
		Path: p.cmd.Path, PID: p.pid, Code: end.Code, Signal: end.Signal, Core: end.Core, BeforeReady: !p.wasReady,
		User: end.User, Sys: end.Sys, MaxRSS: end.MaxRSS, Ran: p.endedAt.Sub(p.startedAt),
	}
	e.LastLines, e.complaint = p.tail.lines()
	if p.wasReady && p.cmd.expects(end) {
		return nil
	}
	return e
}

// expects tells whether the end is a normal one.
func (c *Command) expects(end keeper.End) bool {
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
