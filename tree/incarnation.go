package tree

import (
	"context"
	"fmt"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"time"

	proto "github.com/asynkron/protoactor-go/actor"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/internal/inside"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree/internal/machine"
)

// incarnation is one run of a child that is not a supervisor. It is the child's
// context, and the Cell found in it. There is one for each child that runs, so what
// few of them need is apart.
type incarnation struct {
	context.Context // cancelled when asked to stop, and at the end
	cancel          context.CancelCauseFunc
	labels          any          // of pprof
	next            *incarnation // to begin when this one has
	child           *child
	gen             int
	begun           time.Duration // since the tree's own beginning

	asked     atomic.Bool
	saidReady atomic.Bool
	over      atomic.Bool
	disowned  bool        // of an actor: was given up; guarded by mu
	foreign   bool        // of an actor: its mailbox, dispatcher or spawner is not ours
	class     actor.Class // once over
	pid       atomic.Pointer[proto.PID]

	mu   sync.Mutex
	err  error // of an actor: why it ends; once over: of its end
	rare *rare // see more
}

// rare is guarded by the incarnation's mu.
type rare struct {
	killed  chan struct{} // made when asked for
	gone    chan struct{} // the same
	sending chan struct{} // the same; has room for one
	force   bool
	beat    time.Time
	until   time.Time // asked for by Extend, and the supervisor was told to look; zero: it has
	dog     *time.Timer
	grace   *time.Timer // of a stop from outside
	handler func(context.Context, any) (any, error)
	made    *traits // of an Init
	gaveUp  bool    // of an Init
}

var _ inside.Cell = (*incarnation)(nil)

func newIncarnation(k *child, gen int) *incarnation {
	i := &incarnation{child: k, gen: gen, begun: k.sup.now.Sub(k.sup.tree.born)}
	i.Context, i.cancel = context.WithCancelCause(k.sup.tree.values)
	return i
}

// makeLabels is for who runs the incarnation, before it does.
func (i *incarnation) makeLabels() any {
	return labels(i.child.sup.tree.labels, i.child.path, i.gen)
}

// more returns what few need. The lock is held.
func (i *incarnation) more() *rare {
	if i.rare == nil {
		i.rare = new(rare)
	}
	return i.rare
}

// Value finds the Cell, pprof's labels, and all else where the tree was started.
func (i *incarnation) Value(key any) any {
	switch key {
	case inside.Key:
		return inside.Cell(i)
	case labelKey:
		return i.labels
	}
	return i.Context.Value(key)
}

// run is the child's goroutine. Its end is told from a stack that is nearly empty, if
// the child returns: a new goroutine has little, and to grow it costs as much as all the
// rest of a restart.
func (i *incarnation) run() {
	if returned, err := i.serve(); returned {
		i.end(err)
	}
}

// serve runs the child's code, and tells of its end if it does not return. It may not
// return either, though it recovers from a panic: a Goexit goes on after that.
func (i *incarnation) serve() (returned bool, err error) {
	defer func() {
		if returned {
			return
		}
		err := actor.ErrGoexit
		if r := recover(); r != nil {
			err = actor.NewPanicError(r)
		}
		i.end(err)
	}()
	i.begin()
	if i.child.maker != nil {
		err = i.serveInit()
	} else {
		err = i.child.service.Serve(i)
	}
	return true, err
}

// begin lets the next of the row begin, whatever happens.
func (i *incarnation) begin() {
	defer func() {
		if next := i.next; next != nil {
			i.next = nil
			go next.run()
		} else {
			i.child.sup.starts.tell()
		}
	}()
	i.labels = i.makeLabels()
	pprof.SetGoroutineLabels(i)
}

// end is the last thing of the incarnation.
func (i *incarnation) end(err error) {
	end := i.classify(err)
	i.tell(&end)
}

// tell tells the supervisor of the end, once.
func (i *incarnation) tell(end *actor.End) {
	i.mu.Lock()
	if i.over.Swap(true) {
		i.mu.Unlock()
		return
	}
	i.class, i.err = end.Class, end.Err
	i.tellGone()
	var made *traits
	gaveUp := false
	if r := i.rare; r != nil {
		made, gaveUp = r.made, r.gaveUp
		if r.dog != nil {
			r.dog.Stop()
		}
		if r.grace != nil {
			r.grace.Stop()
		}
	}
	i.mu.Unlock()
	if !i.asked.Load() {
		i.cancel(&actor.StopCause{Reason: actor.ErrEnded, Path: i.Path()})
	}
	s := i.child.sup
	s.tree.stuck.remove(i, i.tellLate)
	switch {
	case gaveUp:
	case made != nil:
		s.box.PostUserMessage(&initialised{i, made})
	default:
		s.post(machine.Input{Kind: machine.Exited, Slot: i.child.slot, Gen: i.gen, End: *end, Ahead: i.goesAhead()})
	}
}

// longRun is how long a child must have run to be no part of a storm. A variable for
// the tests.
var longRun = time.Millisecond

// goesAhead tells whether the end of the incarnation is to be served before others:
// siblings that crash all the time do not hold up the restart of one that has not.
// Where siblings are restarted together the order is kept.
func (i *incarnation) goesAhead() bool {
	s := i.child.sup
	return s.spec.Strategy == strategies.OneForOne && !i.asked.Load() && time.Since(s.tree.born)-i.begun >= longRun
}

// tellLate tells the end of an incarnation that was told to be stuck. Its
// supervisor may have ended long ago.
func (i *incarnation) tellLate() {
	i.mu.Lock()
	class, err := i.class, i.err
	i.mu.Unlock()
	i.child.sup.tree.bus.publish(Event{
		Kind: LateEnd, Path: i.Path(), Incarnation: i.gen, Class: class, Err: err, Restart: i.child.spec.Restart,
	})
}

// classify reads err, whose methods are user code and may panic. If one ends the
// goroutine, that is the incarnation's end, and may go on after a panic.
func (i *incarnation) classify(err error) (end actor.End) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if r := recover(); r != nil {
			end = actor.End{Class: actor.ClassAbnormal, Err: actor.NewPanicError(r)}
			i.tell(&end)
		} else {
			i.end(actor.ErrGoexit)
		}
	}()
	end = actor.Classify(err, i.asked.Load(), i.saidReady.Load())
	if !i.child.announces && end.Class != actor.ClassIgnore {
		// A child that need not announce itself counts as ready from the beginning,
		// but may still find that there is nothing to run.
		end = actor.Classify(err, i.asked.Load(), true)
	}
	returned = true
	return end
}

// ask cancels the context.
func (i *incarnation) ask(cause error) {
	i.asked.Store(true)
	i.cancel(cause)
}

func (i *incarnation) kill() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if r := i.more(); !r.force {
		r.force = true
		if r.killed != nil {
			close(r.killed)
		}
	}
}

// Path, Incarnation and the following are the Cell.
func (i *incarnation) Path() string     { return i.child.path }
func (i *incarnation) Incarnation() int { return i.gen }
func (i *incarnation) Tree() any        { return i.child.sup.tree }

func (i *incarnation) Ready() {
	if i.child.maker != nil || i.over.Load() || i.saidReady.Swap(true) || !i.child.announces {
		return
	}
	i.child.sup.post(machine.Input{Kind: machine.Ready, Slot: i.child.slot, Gen: i.gen})
	i.watch()
}

func (i *incarnation) Killed() <-chan struct{} {
	i.mu.Lock()
	defer i.mu.Unlock()
	r := i.more()
	if r.killed == nil {
		r.killed = make(chan struct{})
		if r.force {
			close(r.killed)
		}
	}
	return r.killed
}

func (i *incarnation) SetStatus(s any) {
	if s, ok := s.(actor.Status); ok && i.child.cur.Load() == i {
		i.child.status.Store(&status{s, i.gen})
	}
}

func (i *incarnation) Beat() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.rare != nil {
		i.rare.beat = time.Now()
	}
}

func (i *incarnation) Extend(d time.Duration) {
	if d <= 0 || i.over.Load() {
		return
	}
	i.mu.Lock()
	r := i.more()
	told := !r.until.IsZero()
	r.until = time.Now().Add(d)
	i.mu.Unlock()
	if !told {
		i.child.sup.post(machine.Input{Kind: machine.Extend, Slot: i.child.slot, Gen: i.gen})
	}
}

// extended takes what incarnation gen has asked for last.
func (k *child) extended(gen int, now time.Time) time.Duration {
	i := k.cur.Load()
	if i == nil || i.gen != gen {
		return 0
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	d := i.more().until.Sub(now)
	i.rare.until = time.Time{}
	return d
}

// watch begins to expect heartbeats.
func (i *incarnation) watch() {
	every := i.child.spec.Heartbeat
	if every <= 0 {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.over.Load() {
		i.more().beat = time.Now()
		i.rare.dog = time.AfterFunc(every, i.checkBeat)
	}
}

func (i *incarnation) checkBeat() {
	every := i.child.spec.Heartbeat
	i.mu.Lock()
	defer i.mu.Unlock()
	silent := time.Since(i.rare.beat)
	switch {
	case i.over.Load():
	case silent < every:
		i.rare.dog.Reset(every - silent)
	default:
		i.unhealthy(fmt.Errorf("%w: none for %v", actor.ErrNoHeartbeat, silent.Round(time.Millisecond)))
	}
}

// unhealthy has the supervisor, if it is not about that anyway, stop the incarnation,
// which has failed by err.
func (i *incarnation) unhealthy(err error) {
	i.child.sup.post(machine.Input{Kind: machine.Unhealthy, Slot: i.child.slot, Gen: i.gen, End: actor.End{Err: err}})
}

// bound gives an incarnation that somebody has stopped from outside its grace: the
// supervisor has not asked, and does not wait for the end.
func (i *incarnation) bound() {
	grace := i.child.spec.shutdown(false)
	switch grace {
	case Infinity:
		return
	case Brutal:
		grace = machine.ForceWait
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if r := i.more(); r.grace == nil && !i.over.Load() {
		r.grace = time.AfterFunc(grace, func() { i.unhealthy(fmt.Errorf("%w after %v", actor.ErrStuck, grace)) })
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

// terminated is the end of an actor: it has handled Stopped, or never will. A method
// of its error may end the goroutine that reads it, which is no one's but its own.
func (i *incarnation) terminated() {
	i.mu.Lock()
	err := i.err
	i.mu.Unlock()
	if err == nil {
		i.end(nil)
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		i.end(err)
	}()
	<-done
}
