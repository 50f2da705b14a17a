package tree

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	proto "github.com/asynkron/protoactor-go/actor"

	"github.com/coppice-go/coppice/internal/inside"
	"github.com/coppice-go/coppice/strategies"
)

// Run runs the tree that spec describes until ctx is cancelled, which stops it in
// order, or until its root ends by itself. It is Runner{}.Run.
func Run(ctx context.Context, spec Spec) error { return Runner{}.Run(ctx, spec) }

// Start starts the tree that spec describes. It is Runner{}.Start.
func Start(ctx context.Context, spec Spec) (*Tree, error) { return Runner{}.Start(ctx, spec) }

// Runner is what concerns a whole tree. Its zero value is ready to use.
type Runner struct {
	// Logger gets a line for every failure, and more at level debug. Nil:
	// slog.Default().
	Logger *slog.Logger

	// OnEvent is called with every event, one after the other, from a goroutine
	// of its own. Events that come while EventBuffer of them wait for a slow
	// OnEvent are lost, and the loss is logged; a panic in it is recovered and
	// logged, a runtime.Goexit likewise.
	OnEvent func(Event)

	// EventBuffer is how many events may wait for OnEvent, at most MaxEventBuffer.
	// 0: 1024.
	EventBuffer int

	// StopTimeout bounds a stop; what has not ended by then is forced to. 0: 15 s.
	// Infinity: none.
	StopTimeout time.Duration

	// CallTimeout bounds a Call of a message-driven actor if its context has no
	// deadline. 0: 5 s, as OTP's gen_server:call. Infinity: none.
	CallTimeout time.Duration

	// System is the protoactor system to live in. Its settings and other actors
	// are left alone. Nil: the tree makes its own.
	System *proto.ActorSystem

	exit func(int) // os.Exit
}

// Tree is a running tree. Its methods may be called from any goroutine, also
// from inside a child; every one may be called after the tree has ended.
type Tree struct {
	runner  Runner
	log     *slog.Logger
	root    *supervisor
	system  *proto.ActorSystem
	sender  *proto.RootContext // without middleware
	values  context.Context    // of the caller's context
	labels  context.Context    // the same, for the labels of pprof
	seed    uint64
	born    time.Time
	bus     bus
	workers workers
	askers  askers
	stuck   stuckList
	replies sync.Pool // of chan *machine.Answer, empty
	held    holdings

	spawnings sync.Pool // of *spawning, of nobody
	effects   effects
	sinks     sync.WaitGroup // goroutines that consume events

	up    chan struct{}
	ended chan struct{}
	began atomic.Pointer[time.Time] // when it was asked to stop
	upAt  atomic.Pointer[time.Time] // when all had started

	stopMu sync.Mutex
	bound  *time.Timer // of the stop
	due    time.Time   // when it is over
	why    error       // of a stop by the context
	unlink func() bool // from the context
	over   bool

	report Report // once ended
	err    error  // once ended
}

// Run is Start and Wait. It returns nil after an ordered stop.
func (r Runner) Run(ctx context.Context, spec Spec) error {
	ctx = orBackground(ctx)
	t, err := r.Start(ctx, spec)
	if err != nil {
		return err
	}
	return t.Wait(context.WithoutCancel(ctx))
}

// Start starts the tree and returns when all children have started, in order. An
// invalid spec is a *SpecError; a child that fails to start is a *StartError,
// and then all that had started has been stopped again.
//
// ctx is the life of the tree: when it is cancelled the tree stops in order, also
// while it is still starting. Its values are seen by the children; its deadline
// and cancellation are not, each child has its own.
func (r Runner) Start(ctx context.Context, spec Spec) (*Tree, error) {
	t, err := r.launch(ctx, spec)
	if err != nil {
		return nil, err
	}
	select {
	case <-t.up:
		return t, nil
	case <-t.ended:
	}
	select {
	case <-t.up: // before it ended
		return t, nil
	default:
		return nil, t.err
	}
}

// launch starts the tree and does not wait.
func (r Runner) launch(ctx context.Context, spec Spec) (*Tree, error) {
	ctx = orBackground(ctx)
	if spec.Name == "" {
		spec.Name = DefaultName
	}
	if err := r.validate(spec); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Name, context.Cause(ctx))
	}
	t := r.newTree(ctx)
	if t.system = r.System; t.system == nil {
		t.system = newSystem(t.log)
	}
	t.root = newSupervisor(t, nil, spec.Name, &spec, nil, nil)
	t.sender = proto.NewRootContext(t.system, nil)
	t.startSinks()
	if _, err := t.system.Root.SpawnNamed(newSpawning(t.root).props, spec.Name); err != nil {
		t.bus.close()
		t.drain()
		return nil, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	t.link(ctx)
	return t, nil
}

// orBackground is for a ctx that is nil.
func orBackground(ctx context.Context) context.Context {
	if ctx == nil {
		return context.Background()
	}
	return ctx
}

// link stops the tree when ctx ends, until the tree has ended.
func (t *Tree) link(ctx context.Context) {
	unlink := context.AfterFunc(ctx, func() { t.beginStop(context.Cause(ctx), t.runner.StopTimeout) })
	t.stopMu.Lock()
	defer t.stopMu.Unlock()
	if t.over {
		unlink()
	}
	t.unlink = unlink
}

func (r Runner) validate(spec Spec) error {
	switch {
	case r.StopTimeout < 0:
		return bad("Runner", "StopTimeout", "negative: %v", r.StopTimeout)
	case r.CallTimeout < 0:
		return bad("Runner", "CallTimeout", "negative: %v", r.CallTimeout)
	case r.EventBuffer < 0:
		return bad("Runner", "EventBuffer", "negative: %d", r.EventBuffer)
	case r.EventBuffer > MaxEventBuffer:
		return bad("Runner", "EventBuffer", "more than %d: %d", MaxEventBuffer, r.EventBuffer)
	}
	return spec.Validate()
}

func (r Runner) newTree(ctx context.Context) *Tree {
	r.Logger = r.logger()
	if r.StopTimeout == 0 {
		r.StopTimeout = DefaultStopTimeout
	}
	if r.CallTimeout == 0 {
		r.CallTimeout = DefaultCallTimeout
	}
	if r.EventBuffer == 0 {
		r.EventBuffer = 1024
	}
	if r.exit == nil {
		r.exit = os.Exit
	}
	ctx = context.WithoutCancel(ctx)
	now := time.Now()
	return &Tree{
		runner: r, log: r.Logger, values: ctx, labels: labelled(ctx), seed: rand.Uint64(), born: now,
		up: make(chan struct{}), ended: make(chan struct{}), askers: askers{bound: r.CallTimeout, born: now},
	}
}

func (r Runner) logger() *slog.Logger {
	if r.Logger == nil {
		return slog.Default()
	}
	return r.Logger
}

// From returns the tree that the child with this context belongs to. ok is false
// outside a tree.
func From(ctx context.Context) (t *Tree, ok bool) {
	if c := inside.From(ctx); c != nil {
		t, ok = c.Tree().(*Tree)
	}
	return t, ok
}

// Done is closed when the tree has ended.
func (t *Tree) Done() <-chan struct{} { return t.ended }

// Wait waits for the end of the tree and returns why it ended: nil after an
// ordered stop, or when AutoShutdown found all well; otherwise an error that
// wraps the failure, and matches ErrStuck if children did not end. If ctx ends
// first, its cause is returned.
func (t *Tree) Wait(ctx context.Context) error {
	ctx = orBackground(ctx)
	if !t.endsBefore(ctx) {
		return fmt.Errorf("wait for %s: %w", t.root.path, context.Cause(ctx))
	}
	return t.err
}

func (t *Tree) endsBefore(ctx context.Context) bool {
	select {
	case <-t.ended:
		return true
	default:
	}
	select {
	case <-t.ended:
		return true
	case <-ctx.Done():
		return false
	}
}

// GaveUpError says that a supervisor ended because of a child.
type GaveUpError struct {
	Path      string // of the supervisor
	Child     string // path of the child whose failure was one too many
	Rule      Rule
	Used      int // restarts counted
	Intensity strategies.Intensity
	Err       error // the last failure; nil if the last end was a normal one
}

// ErrGaveUp matches every *GaveUpError.
var ErrGaveUp = errors.New("gave up")

func (e *GaveUpError) Error() string {
	why := e.Rule.String()
	if e.Rule == RuleIntensity {
		why = "more restarts than " + e.Intensity.String()
	}
	if e.Err == nil {
		return fmt.Sprintf("%s gave up (%s): %s has ended", e.Path, why, e.Child)
	}
	return fmt.Sprintf("%s gave up (%s): %s: %v", e.Path, why, e.Child, e.Err)
}

// Unwrap makes both ErrGaveUp and the last failure found.
func (e *GaveUpError) Unwrap() []error {
	if e.Err == nil {
		return []error{ErrGaveUp}
	}
	return []error{ErrGaveUp, e.Err}
}

// StartError says which child did not start.
type StartError struct {
	Path string
	Err  error
}

// ErrStartFailed matches every *StartError, and the error of a request whose start
// has failed.
var ErrStartFailed = errors.New("start failed")

func (e *StartError) Error() string { return fmt.Sprintf("start %s: %v", e.Path, e.Err) }

// Unwrap makes both ErrStartFailed and the cause found.
func (e *StartError) Unwrap() []error { return []error{ErrStartFailed, e.Err} }
