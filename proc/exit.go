package proc

import (
	"fmt"
	"path/filepath"
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
		User: end.User, Sys: end.Sys,
	}
	e.LastLines, e.complaint = p.tail.lines()
	if e.Signal == 0 && p.wasReady && p.cmd.expects(e.Code) {
		return nil
	}
	return e
}
