package tree

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"time"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree/internal/machine"
)

// State of a child.
type State uint8

const (
	// Down: no incarnation. OTP's undefined.
	Down State = State(machine.Down)
	// Restarting: the next incarnation is due, or its start is to be tried again.
	Restarting State = State(machine.Waiting)
	// Starting: not ready yet.
	Starting State = State(machine.Starting)
	// Running: ready.
	Running State = State(machine.Running)
	// Stopping: asked to stop.
	Stopping State = State(machine.Stopping)
	// Ended: ended by itself; the supervisor is busy and has yet to react.
	Ended State = State(machine.Ended)
)

var stateNames = [...]string{"down", "restarting", "starting", "running", "stopping", "ended"}

func (s State) String() string { return name(stateNames[:], int(s), "State") }

// MarshalText writes the state as its name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Node is one child or supervisor in a snapshot, with all below it.
type Node struct {
	Name        string
	Path        string
	Kind        string // "goroutine", "actor", "process", "supervisor", or what the Service calls itself
	State       State
	Incarnation int               // of the last start; 0: none yet. It goes on counting when a supervisor above restarts
	Restarts    int               // by the supervisor, since the last start by request
	LastStart   time.Time         // when it was last ready; zero: never
	Uptime      time.Duration     // since then, of an incarnation that has been ready and has not ended
	PID         int               // of a process; 0: none
	Exit        *actor.ExitStatus // of a process's last incarnation; nil: it has not ended
	Status      string            // what the child says of itself
	LastError   error             // of the last incarnation that ended; nil: none, or in order
	Stuck       int               // an incarnation that was given up and is alive; 0: none

	// LastLines returns the last lines of output there are when it is called, of this
	// incarnation or the last, the oldest first. Nil: it has none, being no process.
	LastLines func() []string

	// Of a supervisor.
	Strategy  strategies.Strategy
	Busy      bool // in the middle of an ordered operation
	Intensity strategies.Intensity
	Used      int // restarts in the window
	Children  []Node
}

// Counts of a supervisor's children. OTP's count_children.
type Counts struct {
	Specs       int `json:"specs"`       // children, running or not
	Active      int `json:"active"`      // children with a living incarnation
	Supervisors int `json:"supervisors"` // children that are supervisors, running or not
	Workers     int `json:"workers"`     // the others, running or not
}

// Running tells whether the node has an incarnation that is starting, running or
// stopping.
func (n *Node) Running() bool {
	return n.State == Running || n.State == Starting || n.State == Stopping
}

// Walk calls f for n and everything below it, parents first, in start order,
// until f returns false.
func (n *Node) Walk(f func(*Node) bool) bool {
	if !f(n) {
		return false
	}
	for i := range n.Children {
		if !n.Children[i].Walk(f) {
			return false
		}
	}
	return true
}

// Counts counts the node's children.
func (n *Node) Counts() Counts {
	c := Counts{Specs: len(n.Children)}
	for i := range n.Children {
		k := &n.Children[i]
		if k.Running() {
			c.Active++
		}
		if k.Kind == "supervisor" {
			c.Supervisors++
		} else {
			c.Workers++
		}
	}
	return c
}

// Find returns the node at path below n, or n itself; nil if there is none.
func (n *Node) Find(path string) *Node {
	var found *Node
	n.Walk(func(m *Node) bool {
		if m.Path == path {
			found = m
		}
		return found == nil
	})
	return found
}

// Snapshot shows the whole tree. It waits for no supervisor, whatever each of
// them is doing, and so shows no single moment: supervisors are looked at one after
// the other, from the root down, first what is their own, then their children, and
// these 16 at a time if the supervisor has something to do meanwhile. What is shown of
// one child is true at one moment. A child that is added meanwhile is not shown, one
// that is removed may or may not be. After the end of the tree Snapshot shows the last
// state. The error is the cause of ctx if that has ended.
func (t *Tree) Snapshot(ctx context.Context) (n Node, err error) {
	err = t.ReadSnapshot(ctx, &n)
	return n, err
}

// ReadSnapshot is Snapshot for one who looks again and again: it writes the snapshot
// over n, in the memory that an earlier one has left there, and so takes a fraction of
// the time. n must not be in use meanwhile. After an error n is as before; a nil n is
// ErrBadArgument.
func (t *Tree) ReadSnapshot(ctx context.Context, n *Node) error {
	ctx = orBackground(ctx)
	switch {
	case ctx.Err() != nil:
		return refused("snapshot", t.root.path, context.Cause(ctx))
	case n == nil:
		return refused("snapshot", t.root.path, fmt.Errorf("%w: the node to be read into is nil", ErrBadArgument))
	}
	*n = Node{
		Name: t.root.path, Path: t.root.path, Kind: "supervisor", Incarnation: 1, State: t.rootState(),
		Children: n.Children,
	}
	t.root.snapshot(n)
	return nil
}

// Find shows the child or supervisor at path and all below it, without waiting.
// Errors: ErrNotFound, ErrNotSupervisor, ErrSupervisorStopped, the cause of ctx.
func (t *Tree) Find(ctx context.Context, path string) (Node, error) {
	ctx = orBackground(ctx)
	if path == t.root.path {
		return t.Snapshot(ctx)
	}
	if ctx.Err() != nil {
		return Node{}, refused("find", path, context.Cause(ctx))
	}
	k, slot, err := t.lookup(path)
	if err != nil {
		return Node{}, refused("find", path, err)
	}
	k.sup.mu.Lock()
	var n Node
	k.look(&n, slot, time.Now())
	k.sup.mu.Leave()
	k.below(&n)
	return n, nil
}

// CountChildren counts the children of the supervisor at path, without waiting.
func (t *Tree) CountChildren(ctx context.Context, sup string) (Counts, error) {
	ctx = orBackground(ctx)
	s, err := t.supervisor(sup)
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return Counts{}, refused("count children", sup, err)
	}
	s.mu.Lock()
	c := s.m.Counts()
	s.mu.Leave()
	return Counts{Specs: c.All, Active: c.Active, Supervisors: c.Supervisors, Workers: c.All - c.Supervisors}, nil
}

func (t *Tree) rootState() State {
	select {
	case <-t.root.done:
		return Down
	default:
	}
	t.root.mu.Lock()
	stopping := t.root.m.Stopping()
	t.root.mu.Leave()
	if stopping {
		return Stopping
	}
	select {
	case <-t.up:
		return Running
	default:
		return Starting
	}
}

const (
	// piece is how many children snapshot looks at until it lets those go first who
	// wait for the supervisor's lock.
	piece = 16
	// many children take so long that who reads all the time is to let others in.
	many = 1024
)

// snapshot fills in what is the supervisor's of its node.
func (s *supervisor) snapshot(n *Node) {
	s.mu.Lock()
	now := time.Now() // not before: what is seen may have begun while this waited
	n.Strategy = s.spec.Strategy
	n.Used, n.Intensity = s.m.Used(now)
	n.Busy = s.m.Busy()
	slots, count := s.m.List(), s.m.Len()
	s.mu.Leave()
	if s.parent == nil {
		if at := s.tree.upAt.Load(); at != nil {
			n.LastStart = *at
		}
		n.Uptime = uptime(n.LastStart, n.State, now)
	}
	list, used := n.Children[:0], true
	if cap(list) < count {
		list, used = make([]Node, 0, count), false
	}
	var supervisors []*child
	s.mu.Lock()
	now = time.Now()
	for i := range slots {
		if (i+1)%piece == 0 && s.mu.pass() {
			now = time.Now()
		}
		slot := slots[i] // it may be gone by now
		if slot == nil {
			continue
		}
		k := s.childOf(slot)
		list = list[:len(list)+1]
		at := &list[len(list)-1]
		if used {
			*at = Node{Children: at.Children} // to be written over as well
		}
		k.look(at, slot, now)
		if k.supervises() {
			supervisors = append(supervisors, k)
		} else {
			at.Children = nil
		}
	}
	s.mu.Leave()
	if len(slots) > many {
		runtime.Gosched()
	}
	if before := n.Children; len(before) > len(list) {
		clear(before[len(list):])
	}
	n.Children = list
	for i, next := 0, supervisors; len(next) > 0; i++ {
		if n.Children[i].Path == next[0].path {
			next[0].below(&n.Children[i])
			next = next[1:]
		}
	}
}

// look fills in the child itself. The supervisor's lock is held.
func (k *child) look(n *Node, slot *machine.Slot, now time.Time) {
	n.Name, n.Path, n.Kind, n.State = slot.Name, k.path, k.kind, State(slot.State)
	n.Incarnation, n.Restarts, n.Stuck = slot.Gen, slot.Restarts, slot.Stuck
	n.LastStart = slot.Started
	if n.State != Stopping || slot.WasReady() {
		n.Uptime = uptime(n.LastStart, n.State, now)
	}
	if slot.HasEnded {
		n.LastError = slot.Last.Err
	}
	if st := k.status.Load(); st != nil {
		n.Exit, n.Status, n.LastLines = st.Exit, st.Text, st.LastLines
		if n.Running() && st.gen == slot.Gen {
			n.PID = st.PID
		}
	}
}

// below fills in the children of a child that is a running supervisor.
func (k *child) below(n *Node) {
	if s := k.nested.Load(); s != nil && n.State != Down && n.State != Restarting {
		s.snapshot(n)
		return
	}
	n.Children = nil
	if k.traits.spec != nil {
		n.Strategy, n.Intensity = k.traits.spec.Strategy, k.traits.spec.Intensity.WithDefaults()
	}
}

// exitCode is nil if there is none, for a signal ended it.
func (n *Node) exitCode() *int {
	if n.Exit == nil || n.Exit.Code < 0 {
		return nil
	}
	return &n.Exit.Code
}

func uptime(since time.Time, s State, now time.Time) time.Duration {
	if since.IsZero() || s != Running && s != Stopping {
		return 0
	}
	return now.Sub(since)
}

// MarshalJSON writes the node for programs: durations in seconds, errors as text.
func (n Node) MarshalJSON() ([]byte, error) {
	out := nodeJSON{
		Name: n.Name, Path: n.Path, Type: n.Kind, State: n.State, Running: n.Running(), PID: n.PID,
		Incarnation: n.Incarnation, Restarts: n.Restarts, Uptime: n.Uptime.Seconds(), ExitCode: n.exitCode(), Exit: n.Exit,
		Status: n.Status, LastError: errorText(n.LastError), Stuck: n.Stuck,
	}
	if !n.LastStart.IsZero() {
		out.LastStart = &n.LastStart
	}
	if n.Kind == "supervisor" {
		out.Supervisor = &supervisorJSON{n.Strategy, n.Intensity.Max, n.Intensity.Within.Seconds(), n.Used, n.Busy}
		out.Children = &n.Children
		if n.Children == nil {
			out.Children = &[]Node{}
		}
	}
	return json.Marshal(out)
}

type nodeJSON struct {
	Name        string            `json:"name"`
	Path        string            `json:"path"`
	Type        string            `json:"type"`
	State       State             `json:"state"`
	Running     bool              `json:"running"`
	PID         int               `json:"pid,omitempty"`
	Incarnation int               `json:"incarnation"`
	Restarts    int               `json:"restarts"`
	LastStart   *time.Time        `json:"last_start,omitempty"`
	Uptime      float64           `json:"uptime_seconds"`
	ExitCode    *int              `json:"exit_code,omitempty"`
	Exit        *actor.ExitStatus `json:"exit,omitempty"`
	Status      string            `json:"status,omitempty"`
	LastError   string            `json:"last_error,omitempty"`
	Stuck       int               `json:"stuck_incarnation,omitempty"`

	Supervisor *supervisorJSON `json:"supervisor,omitempty"`
	Children   *[]Node         `json:"children,omitempty"`
}

type supervisorJSON struct {
	Strategy strategies.Strategy `json:"strategy"`
	Max      int                 `json:"max_restarts"` // -1: no limit
	Within   float64             `json:"within_seconds"`
	Used     int                 `json:"used"`
	Busy     bool                `json:"busy"`
}

// errorText calls user code, which may panic.
func errorText(err error) (text string) {
	if err == nil {
		return ""
	}
	defer func() {
		if r := recover(); r != nil {
			text = actor.NewPanicError(r).Error()
		}
	}()
	return err.Error()
}
