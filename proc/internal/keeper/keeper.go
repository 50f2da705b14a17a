// Package keeper starts the processes of a program, watches over them, and sees
// to it that none outlives it. On Linux their parent is not the program itself
// but a small guardian, a second process of the same executable: it is told by
// the system when the program is gone, however that came about, and then kills
// everything that descends from it. Being a subreaper, it is also the one to
// whom a process falls whose own parent has ended, and so knows what a process
// has left behind. Elsewhere, and where no guardian can be started, the program
// is the parent.
package keeper

import (
	"context"
	"errors"
	"os"
	"slices"
	"syscall"
	"time"
)

// Spec says what to start.
type Spec struct {
	Path  string   // of the executable; one that is not absolute is relative to Dir
	Args  []string // Path's place included
	Env   []string
	Dir   string     // empty: where this program is
	Files []*os.File // 0, 1, 2, …; they stay the caller's. The first may be nil: the null device
	Setup *Setup     // nil: nothing
}

// openNull opens the null device in the place of a file that is nil.
func (s *Spec) openNull() (null *os.File, err error) {
	if len(s.Files) == 0 || s.Files[0] != nil {
		return nil, nil
	}
	if null, err = os.Open(os.DevNull); err != nil {
		return nil, err
	}
	s.Files = append([]*os.File{null}, s.Files[1:]...)
	return null, nil
}

// End is how a process ended.
type End struct {
	Code      int            // -1 if a signal ended it
	Signal    syscall.Signal // 0 if it exited
	Core      bool
	User, Sys time.Duration
	MaxRSS    int64 // bytes; 0 where unknown
	Left      bool  // something that it started may live on
	Err       error // it is not known how it ended
}

// Scope says who gets a signal.
type Scope uint8

const (
	Leader Scope = iota // the process that was started
	Group               // its process group
	Others              // what descends from it and has left the group
	All                 // everyone
)

var (
	// ErrGone is returned for a signal that nobody is left to get.
	ErrGone = errors.New("no process left")
	// ErrLost is the end of a process whose guardian has ended: it was killed.
	ErrLost = errors.New("guardian process lost")
	// ErrHangs is a start that was given up after its context had ended; if the
	// process starts all the same, it is killed.
	ErrHangs = errors.New("the system does not come to the end of the start")
)

// parent starts processes. Its methods may be called from any goroutine.
type parent interface {
	start(ctx context.Context, id uint64, s Spec, ended func(End)) (pid int, err error)
	signal(id uint64, sig syscall.Signal, to Scope) error
	left(id uint64) (alive int, err error)
	members(id uint64) (pids []int, err error)
	forget(id uint64)
	broken() bool
	close()
}

// Process is a process that was started.
type Process struct {
	PID   int
	Began time.Time // not after its start: who is told late of that would count too little

	id     uint64
	parent parent
	ended  chan struct{}
	end    End
}

// Ended is closed when the process itself has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// End tells how; only after Ended.
func (p *Process) End() End { return p.end }

// Signal sends sig. A process that is stopped is woken up, so that it can act on
// it.
func (p *Process) Signal(sig syscall.Signal, to Scope) error {
	return p.parent.signal(p.id, sig, to)
}

// Send sends sig and nothing else: who is stopped stays so.
func (p *Process) Send(sig syscall.Signal, to Scope) error {
	return p.parent.signal(p.id, sig|plain, to)
}

// plain marks a signal that wakes nobody up.
const plain syscall.Signal = 1 << 16

// Has tells whether pid is the process or descends from it, and is alive.
func (p *Process) Has(pid int) bool {
	pids, err := p.parent.members(p.id)
	return err == nil && slices.Contains(pids, pid)
}

// Gone tells whether the process has ended and nothing that it started is alive.
func (p *Process) Gone() bool {
	select {
	case <-p.ended:
	default:
		return false
	}
	if !p.end.Left {
		return true
	}
	n, err := p.parent.left(p.id)
	return err != nil || n == 0
}

// Forget must be called when nobody is interested any more.
func (p *Process) Forget() { p.parent.forget(p.id) }
