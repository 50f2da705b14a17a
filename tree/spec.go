package tree

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree/internal/machine"
)

// Special durations of a spec.
const (
	// Infinity is no limit.
	Infinity time.Duration = math.MaxInt64
	// Brutal, as Child.Shutdown, stops without a grace. See Child.Shutdown.
	Brutal time.Duration = math.MinInt64
)

// Defaults of a spec's zero values.
const (
	DefaultShutdown    = 5 * time.Second  // Child.Shutdown of all but supervisors
	DefaultStopTimeout = 15 * time.Second // Runner.StopTimeout
	DefaultCallTimeout = 5 * time.Second  // Runner.CallTimeout
)

// Spec describes a supervisor and, through its children, a tree. The zero value
// of every field is a usable default. A Spec is not changed by running it; it
// must not be changed by anyone while a tree runs from it.
//
// A Spec is itself a Service: put it into Child.Service to nest supervisors, of which
// there may be 1,000, one in the other.
type Spec struct {
	// Name is the name of the root, default "root", and the first element of
	// every path. As the Service of a Child it may be left empty: the child's
	// Name counts, and a Name that differs from it is an error.
	Name string

	// Strategy says which children the failure of one takes along. Default:
	// strategies.OneForOne.
	Strategy strategies.Strategy

	// Intensity is how many restarts within which time are too many. When there
	// are more the supervisor stops its children and ends with reason shutdown.
	// The zero value is OTP's default, 1 within 5 s.
	Intensity strategies.Intensity

	// AutoShutdown ends the supervisor when significant children end by
	// themselves. Default: NeverShutdown.
	AutoShutdown AutoShutdown

	// Children are started in this order and stopped in reverse.
	Children []Child

	// Template makes this a dynamic supervisor: it starts with no children, and
	// StartInstance adds them. Not together with Children, a Strategy other than
	// OneForOne, or AutoShutdown. OTP's simple_one_for_one.
	Template *Template
}

// Serve runs the spec as a tree of its own until ctx is cancelled or it ends by
// itself; see Run. A supervisor that finds a Spec as a child's Service does not
// call it: it makes a nested supervisor of it.
func (s Spec) Serve(ctx context.Context) error { return Run(ctx, s) }

// Kind returns "supervisor".
func (s Spec) Kind() string { return "supervisor" }

// Child describes one child of a supervisor.
type Child struct {
	// Name is unique among the siblings, printable, without slash, and of at most
	// 255 bytes.
	Name string

	// Service is what runs: an actor.Func, actor.Props, *proc.Command, a nested
	// Spec, or anything else with Serve(ctx) error. Each incarnation is one call
	// of Serve on this same value.
	Service actor.Service

	// Restart says after which ends a new incarnation is started. Default:
	// strategies.Permanent, always.
	Restart strategies.Restart

	// Policy says when the restart comes and how many there may be. Default: at
	// once, limited by the supervisor's Intensity alone.
	Policy strategies.Policy

	// Shutdown is the grace: how long the child may take to end after it was
	// asked to. Then it is killed if it is a process, and stuck otherwise.
	// Default: Infinity for a nested supervisor, 5 s for others. Brutal waits for
	// nothing: a process gets SIGKILL, a goroutine or actor is cancelled and left
	// alone, as after OTP's brutal_kill. Infinity waits.
	Shutdown time.Duration

	// StartTimeout makes the supervisor wait for the child's call of actor.Ready
	// before it goes on; later than this the start has failed. Infinity waits
	// for ever. 0: an actor.Announcer is waited for without limit, and any other
	// Service counts as started as soon as its goroutine runs. A nested
	// supervisor needs none: each of its children has its own.
	StartTimeout time.Duration

	// Heartbeat is the longest time between two calls of actor.Beat by the child
	// once it is ready. A child that misses it is stopped and treated as failed.
	// 0: none is expected.
	Heartbeat time.Duration

	// Significant children can end their supervisor, see Spec.AutoShutdown. Not
	// for permanent ones.
	Significant bool

	// OnStuck says what happens when the child does not end within its grace.
	// Default: StuckHold.
	OnStuck OnStuck
}

// Template describes the instances of a dynamic supervisor. An instance that
// ends and is not to be restarted is forgotten; the supervisor's end stops all
// instances at once.
type Template struct {
	// Child applies to every instance, but for its Name, which must be empty.
	Child Child

	// New makes the Service of an instance of the argument of StartInstance,
	// before the supervisor is asked; Child.Service must be nil then. An error or
	// panic is returned by StartInstance. Nil: every instance runs Child.Service,
	// and arguments must be nil.
	New func(arg any) (actor.Service, error)

	// MaxInstances is the most there may be, those waiting for a restart
	// included. 0: no limit.
	MaxInstances int
}

// AutoShutdown says when significant children end their supervisor.
type AutoShutdown uint8

const (
	// NeverShutdown: they do not, and there may be none.
	NeverShutdown AutoShutdown = iota
	// AnySignificant: when the first one has ended by itself, and is not to be
	// restarted, the supervisor ends with reason shutdown.
	AnySignificant
	// AllSignificant: when the last one has.
	AllSignificant
)

// OnStuck says what a supervisor does about a child that was asked to stop, used
// up its grace and is still alive.
type OnStuck uint8

const (
	// StuckHold never starts a second incarnation beside the living one: a start
	// fails with actor.ErrStuck, is retried under the child's Policy, counts
	// against the Intensity, and so climbs.
	StuckHold OnStuck = iota
	// StuckAbandon goes on as if it had ended, as OTP does after a kill. The old
	// incarnation is listed until it ends.
	StuckAbandon
	// StuckExit ends the program, at once, with exit code ExitStuck.
	StuckExit
)

// Errors of requests, for errors.Is. A request's error is a *RequestError that
// names what was asked and of whom.
var (
	// ErrNotFound: there is no child of that path.
	ErrNotFound = machine.ErrNotFound
	// ErrAlreadyStarted: a child of that name is running.
	ErrAlreadyStarted = machine.ErrAlreadyStarted
	// ErrAlreadyPresent: a child of that name is known, and not running.
	ErrAlreadyPresent = machine.ErrAlreadyPresent
	// ErrRunning: the child is running.
	ErrRunning = machine.ErrRunning
	// ErrRestarting: the child is about to be restarted.
	ErrRestarting = machine.ErrRestarting
	// ErrSupervisorStopped: the supervisor is not running, or is stopping.
	ErrSupervisorStopped = machine.ErrStopped
	// ErrMaxInstances: the dynamic supervisor is full.
	ErrMaxInstances = machine.ErrMaxChildren
	// ErrDynamic: not possible under a dynamic supervisor.
	ErrDynamic = machine.ErrDynamic
	// ErrNotDynamic: StartInstance under another supervisor.
	ErrNotDynamic = machine.ErrNotDynamic
	// ErrNotSupervisor: the path is a child that has no children.
	ErrNotSupervisor = errors.New("not a supervisor")
	// ErrWouldDeadlock: a child that is not ready asks the supervisor that is
	// waiting for it.
	ErrWouldDeadlock = errors.New("would deadlock: the supervisor is waiting for the caller to be ready")
	// ErrBadArgument: an argument is given to StartInstance that the Template takes
	// none of, or no node to ReadSnapshot.
	ErrBadArgument = errors.New("bad argument")
	// ErrStuck is actor.ErrStuck.
	ErrStuck = actor.ErrStuck
)
