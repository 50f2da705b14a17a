package tree

import (
	"context"
	"fmt"
	"runtime/pprof"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	proto "github.com/asynkron/protoactor-go/actor"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/internal/inside"
	"github.com/coppice-go/coppice/tree/internal/machine"
)

// Keys of the pprof labels that a child's goroutines run under.
const (
	LabelPath        = "tree.path"
	LabelIncarnation = "tree.incarnation"
)

// incarnation is one run of a child that is not a supervisor. It is the child's
// context, and the Cell found in it.
type incarnation struct {
	context.Context // cancelled when asked to stop, and at the end
	cancel          context.CancelCauseFunc
	ctx             context.Context // with labels: what user code gets
	child           *child
	slot            *machine.Slot
	gen             int

	asked     atomic.Bool
	saidReady atomic.Bool
	over      atomic.Bool
	beat      atomic.Int64 // nanoseconds since begun
	begun     time.Time
	handler   atomic.Pointer[func(context.Context, any) (any, error)]

	mu     sync.Mutex
	killed chan struct{} // made when asked for
	force  bool
	dog    *time.Timer
	err    error // of an actor: why it ends
	how    actor.End

	made   *Spec       // of an Init
	gaveUp atomic.Bool // likewise

	pid      atomic.Pointer[proto.PID] // of an actor
	disowned bool                      // of the supervisor's goroutine
}

var _ inside.Cell = (*incarnation)(nil)

func newIncarnation(k *child, slot *machine.Slot, gen int) *incarnation {
	i := &incarnation{child: k, slot: slot, gen: gen, begun: time.Now()}
	i.Context, i.cancel = context.WithCancelCause(k.sup.tree.values)
	i.ctx = pprof.WithLabels(i, pprof.Labels(LabelPath, k.path, LabelIncarnation, strconv.Itoa(gen)))
	return i
}

// Value finds the Cell, and all else where the tree was started.
func (i *incarnation) Value(key any) any {
	if key == inside.Key {
		return inside.Cell(i)
	}
	return i.Context.Value(key)
}

// run is the child's goroutine.
func (i *incarnation) run(ack chan<- struct{}) {
	returned := false
	var err error
	defer func() {
		if !returned {
			if r := recover(); r != nil {
				err = actor.NewPanicError(r)
			} else {
				err = actor.ErrGoexit
			}
		}
		i.end(err)
	}()
	pprof.SetGoroutineLabels(i.ctx)
	ack <- struct{}{}
	if i.child.init != nil {
		err = i.serveInit()
	} else {
		err = i.child.service.Serve(i.ctx)
	}
	returned = true
}

// end tells the supervisor, once, as the last thing of the incarnation.
func (i *incarnation) end(err error) {
	end := i.classify(err)
	i.mu.Lock()
	if i.over.Swap(true) {
		i.mu.Unlock()
		return
	}
	i.how = end
	if i.dog != nil {
		i.dog.Stop()
	}
	i.mu.Unlock()
	i.cancel(&actor.StopCause{Reason: actor.ErrEnded, Path: i.Path()})
	s := i.child.sup
	s.tree.stuck.remove(i, i.tellLate)
	switch {
	case i.gaveUp.Load():
	case i.made != nil:
		s.box.PostUserMessage(&initialised{i, i.made})
	default:
		s.post(machine.Input{Kind: machine.Exited, Slot: i.slot, Gen: i.gen, End: end})
	}
}

// tellLate tells the end of an incarnation that was told to be stuck. Its
// supervisor may have ended long ago.
func (i *incarnation) tellLate() {
	i.mu.Lock()
	end := i.how
	i.mu.Unlock()
	i.child.sup.tree.bus.publish(Event{
		Kind: LateEnd, Path: i.Path(), Incarnation: i.gen, Class: end.Class, Err: end.Err, Restart: i.child.spec.Restart,
	})
}

// classify reads err, whose methods are user code and may panic.
func (i *incarnation) classify(err error) (end actor.End) {
	defer func() {
		if r := recover(); r != nil {
			end = actor.End{Class: actor.ClassAbnormal, Err: actor.NewPanicError(r)}
		}
	}()
	if end = actor.Classify(err, i.asked.Load(), i.saidReady.Load()); i.child.announces || end.Class == actor.ClassIgnore {
		return end
	}
	// A child that need not announce itself counts as ready from the beginning,
	// but may still find that there is nothing to run.
	return actor.Classify(err, i.asked.Load(), true)
}

// ask cancels the context.
func (i *incarnation) ask(cause error) {
	i.asked.Store(true)
	i.cancel(cause)
}

func (i *incarnation) kill() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.force {
		i.force = true
		if i.killed != nil {
			close(i.killed)
		}
	}
}

// Path, Incarnation and the following are the Cell.
func (i *incarnation) Path() string     { return i.child.path }
func (i *incarnation) Incarnation() int { return i.gen }
func (i *incarnation) Tree() any        { return i.child.sup.tree }

func (i *incarnation) Ready() {
	if i.child.init != nil || i.over.Load() || i.saidReady.Swap(true) || !i.child.announces {
		return
	}
	i.child.sup.post(machine.Input{Kind: machine.Ready, Slot: i.slot, Gen: i.gen})
	i.watch()
}

func (i *incarnation) Killed() <-chan struct{} {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.killed == nil {
		i.killed = make(chan struct{})
		if i.force {
			close(i.killed)
		}
	}
	return i.killed
}

func (i *incarnation) SetStatus(s any) {
	if s, ok := s.(actor.Status); ok && i.child.cur.Load() == i {
		i.child.status.Store(&status{s, i.gen})
	}
}

func (i *incarnation) Beat() { i.beat.Store(int64(time.Since(i.begun))) }

func (i *incarnation) Extend(d time.Duration) {
	if d > 0 && !i.over.Load() {
		i.child.sup.post(machine.Input{Kind: machine.Extend, Slot: i.slot, Gen: i.gen, Delay: d})
	}
}

// watch begins to expect heartbeats.
func (i *incarnation) watch() {
	every := i.child.spec.Heartbeat
	if every <= 0 {
		return
	}
	i.Beat()
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.over.Load() {
		i.dog = time.AfterFunc(every, i.checkBeat)
	}
}

func (i *incarnation) checkBeat() {
	every := i.child.spec.Heartbeat
	silent := time.Since(i.begun) - time.Duration(i.beat.Load())
	if i.over.Load() || i.asked.Load() {
		return
	}
	if silent >= every {
		err := fmt.Errorf("%w: none for %v", actor.ErrNoHeartbeat, silent.Round(time.Millisecond))
		i.child.sup.post(machine.Input{Kind: machine.Unhealthy, Slot: i.slot, Gen: i.gen, End: actor.End{Err: err}})
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.over.Load() {
		i.dog.Reset(every - silent)
	}
}

// fail keeps why an actor ends; the first reason counts.
func (i *incarnation) fail(err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.err == nil {
		i.err = err
	}
}

// exit is fail, asked for by the actor itself; a nil reason is a normal end.
func (i *incarnation) exit(err error) {
	if err != nil {
		i.fail(err)
	}
}

// terminated is the end of an actor: it has handled Stopped, or never will.
func (i *incarnation) terminated() {
	i.mu.Lock()
	err := i.err
	i.mu.Unlock()
	i.end(err)
}
