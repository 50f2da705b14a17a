package proc

import (
	"errors"
	"fmt"
	"time"

	"github.com/coppice-go/coppice/proc/internal/notify"
)

var errTriggered = errors.New("WATCHDOG=trigger")

// arm turns the watchdog on, if it is not: the process is ready.
func (n *notices) arm() {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.noteWatchdog(notify.Message{}, true)
}

// expect has the dog bark after d; 0: not at all. The lock is held.
func (n *notices) expect(d time.Duration) {
	if d <= 0 {
		n.due = time.Time{}
		n.dog.Stop()
		return
	}
	n.due = time.Now().Add(d)
	n.dog.Reset(d)
}

// noteWatchdog does what a message says of the watchdog, or what follows from ready.
// The lock is held.
func (n *notices) noteWatchdog(m notify.Message, ready bool) {
	switch {
	case n.over || n.triggered:
		return
	case m.Trigger && !n.stopping:
		n.triggered = true
		n.dog.Reset(0)
		return
	}
	heard := m.Alive || ready && !n.armed
	n.armed = n.armed || ready
	if m.Every != nil {
		n.every, heard = *m.Every, true
	}
	switch {
	case m.Stopping && !n.stopping:
		n.stopping = true
		n.expect(n.p.cmd.Grace)
	case heard && n.armed && !n.stopping:
		n.expect(n.every)
	}
	if m.Extend > 0 && !n.due.IsZero() && time.Until(n.due) < m.Extend {
		n.expect(m.Extend)
	}
}

// bark is when overdue is to be asked.
func (n *notices) bark() <-chan time.Time {
	if n == nil {
		return nil
	}
	return n.dog.C
}

// overdue is nil if the process was heard in time after all.
func (n *notices) overdue() *ProbeError {
	n.catchUp() // it may be this program that is late
	n.mu.Lock()
	defer n.mu.Unlock()
	failure := &ProbeError{Path: n.p.cmd.Path, Reason: ErrNotAlive, Probe: "Watchdog"}
	switch {
	case n.triggered:
		failure.Last = errTriggered
	case n.due.IsZero() || time.Now().Before(n.due):
		return nil
	case n.stopping:
		failure.Last = fmt.Errorf("STOPPING=1, and not ended within %v", n.p.cmd.Grace)
	default:
		failure.Last = fmt.Errorf("no WATCHDOG=1 within %v", n.every)
	}
	return failure
}
