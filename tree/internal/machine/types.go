package machine

import (
	"errors"
	"math"
	"time"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
)

// Special values of Child.Shutdown and Child.StartTimeout.
const (
	Infinity time.Duration = math.MaxInt64
	Brutal   time.Duration = math.MinInt64
)

const (
	// KillWait bounds how long a killed child that can be killed is awaited.
	KillWait = 5 * time.Second
	// ForceWait bounds how long the children are awaited under Kill.
	ForceWait = time.Second
)

// Answers to requests.
var (
	ErrNotFound       = errors.New("not found")
	ErrAlreadyStarted = errors.New("already started")
	ErrAlreadyPresent = errors.New("already present")
	ErrRunning        = errors.New("running")
	ErrRestarting     = errors.New("restarting")
	ErrStopped        = errors.New("supervisor stopped")
	ErrMaxChildren    = errors.New("maximum of children reached")
	ErrDynamic        = errors.New("not for the instances of a dynamic supervisor")
	ErrNotDynamic     = errors.New("not a dynamic supervisor")
)

// AutoShutdown says when the end of significant children ends the supervisor.
type AutoShutdown uint8

const (
	Never AutoShutdown = iota
	AnySignificant
	AllSignificant
)

// Config describes the supervisor.
type Config struct {
	Strategy     strategies.Strategy
	Intensity    strategies.Intensity
	AutoShutdown AutoShutdown
	// Dynamic supervisors have one template, stop their children all at once
	// and forget a child that is not to be restarted.
	Dynamic     bool
	MaxChildren int    // of a dynamic supervisor; 0: no limit
	Seed        uint64 // of the jitter
}

// Child describes one child; the instances of a dynamic supervisor share one.
type Child struct {
	Restart      strategies.Restart
	Significant  bool
	Policy       strategies.Policy
	Shutdown     time.Duration // Infinity, Brutal or positive
	StartTimeout time.Duration // 0 and Infinity: no limit
	Supervisor   bool
	Killable     bool // a kill ends it for certain
}

// State of a child.
type State uint8

const (
	Down     State = iota // no incarnation
	Waiting               // to be restarted
	Starting              // not ready yet
	Running
	Stopping // asked to stop
	Ended    // ended by itself; the supervisor has not reacted yet
)

// Slot is one child of the supervisor. The shell reads its exported fields and
// owns Data; all else belongs to the machine.
type Slot struct {
	// In the order of how often they are read: a snapshot looks at all slots.
	Name     string
	Data     any
	State    State
	HasEnded bool
	Gen      int       // incarnation: starts tried so far
	Restarts int       // by the supervisor itself, since the last start by request
	Stuck    int       // incarnation that was given up while alive; 0: none
	Started  time.Time // last time it was ready; zero: never
	Spec     *Child
	Since    time.Time
	Last     actor.End // of the last incarnation; meaningful if HasEnded

	retries strategies.Retries
	pos     int
	token   uint64 // tells timers and queued retries of this state from older ones
	armed   bool   // a timer is set
	killed  bool   // the kill after the grace was sent
	removed bool
	ordered bool          // found by its place
	isReady bool          // this incarnation has been ready
	ran     time.Duration // how long the last incarnation was ready
	failing error         // why the incarnation being stopped has failed: its start timeout or heartbeat
}

// Active tells whether the child has a living incarnation that is not given up.
func (s *Slot) Active() bool {
	return s.State == Running || s.State == Starting || s.State == Stopping
}

// WasReady tells whether the incarnation, living or not, has been ready.
func (s *Slot) WasReady() bool { return s.isReady }

// InputKind selects the fields of Input that count.
type InputKind uint8

const (
	Begin      InputKind = iota // start the children
	Ready                       // Slot, Gen: has started
	Exited                      // Slot, Gen, End, Ahead
	Unhealthy                   // Slot, Gen, End.Err: must be stopped and counts as failed
	Extend                      // Slot, Gen, Delay: needs that much longer to start or to stop
	TimerFired                  // Slot (nil: the common one), Token
	Ask                         // Request
	Withdraw                    // Request: forget it if it still waits
	Stop                        // stop in order
	Kill                        // stop at once
)

// Input is what happens to the supervisor.
type Input struct {
	Kind    InputKind
	Slot    *Slot
	Gen     int
	End     actor.End
	Token   uint64
	Delay   time.Duration
	Request *Request
	Ahead   bool // served before waiting ends that were not
}

// RequestOp is what is asked for.
type RequestOp uint8

const (
	StartChild RequestOp = iota
	StartInstance
	TerminateChild
	RestartChild
	ReplaceChild
	DeleteChild
	WhichChildren
)

var requestNames = [...]string{"start child", "start instance", "terminate child", "restart child", "replace child", "delete child", "which children"}

func (o RequestOp) String() string { return requestNames[o] }

// Request is a call on the supervisor. It is answered once, by an Answer effect,
// unless it was withdrawn.
type Request struct {
	Op    RequestOp
	Name  string
	Child *Child // StartChild
	Data  any    // Slot.Data of the new slot
	Reply any    // the shell's

	answer Answer
}

// Info is one line of the answer to WhichChildren: a child as it was then.
type Info struct {
	Slot  *Slot
	State State
	Gen   int
}

// EffectKind selects the fields of Effect that count.
type EffectKind uint8

const (
	DoStart     EffectKind = iota // start incarnation Gen of Slot; answer Ready or Exited
	DoStop                        // ask Slot to stop because of Cause; answer Exited
	DoKill                        // the grace of Slot has passed: by force now
	DoAbandon                     // Slot's incarnation Gen is given up, alive as it may be
	DoRemove                      // Slot is forgotten
	SetTimer                      // Slot (nil: common), Delay, Token
	CancelTimer                   // Slot (nil: common)
	DoAnswer                      // Answer
	Up                            // all children have started
	DoEnd                         // all over; Outcome
	Emit                          // Event
)

// Effect is what the shell has to do. Effects are carried out in order.
type Effect struct {
	Kind    EffectKind
	Slot    *Slot
	Gen     int
	Token   uint64
	Delay   time.Duration
	Cause   *Cause
	Answer  *Answer
	Outcome *Outcome
	Event   *Event
}

// Cause is why a child is asked to stop.
type Cause struct {
	Reason error // of package actor: ErrStopping and the like
	Origin *Slot // the sibling that failed; nil if there is none
	Err    error
}

// Answer to a request.
type Answer struct {
	Request  *Request
	Err      error
	Failed   bool // Err is that of the start which was asked for
	Name     string
	Slot     *Slot  // the child; nil if there is none
	Gen      int    // the incarnation running now; 0: none
	Children []Info // in start order
}

// Rule names what decided.
type Rule uint8

const (
	NoRule         Rule = iota
	ByIntensity         // the supervisor's Intensity
	ByMaxRestarts       // the child's own MaxRestarts
	ByEscalation        // the child asked for it
	ByRestartType       // Temporary, or Transient after a normal end
	ByStop              // it was being stopped anyway
	ByStart             // a start while the supervisor itself was starting
	ByRequest           // someone asked
	BySignificance      // auto-shutdown
)

// Outcome is why the supervisor ended.
type Outcome struct {
	Rule     Rule // ByRequest, ByIntensity, ByMaxRestarts, ByEscalation, ByStart, BySignificance
	Child    string
	Err      error
	Used     int
	Abnormal bool
}

// EventKind says what an Event tells.
type EventKind uint8

// Mask is a set of event kinds.
type Mask uint32

// Has tells whether k is in the set.
func (w Mask) Has(k EventKind) bool { return w&(1<<k) != 0 }

const (
	ChildStarting EventKind = iota
	ChildStarted
	ChildEnded
	ChildIgnored
	StartFailed
	RestartPlanned
	NotRestarted
	GaveUp
	ChildStuck
	LateEnd // a given up incarnation has ended after all
	SupervisorStarted
	SupervisorEnding
	RequestDone
)

// Event is a report of what happened or was decided.
type Event struct {
	Kind  EventKind
	Slot  *Slot
	Gen   int
	End   actor.End
	Ran   time.Duration
	Delay time.Duration
	Used  int
	Rule  Rule
	Op    RequestOp
	Name  string
}
