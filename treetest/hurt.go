package treetest

import (
	"errors"
	"time"

	"github.com/coppice-go/coppice/tree"
)

// ErrInjected is the cause of the context of a child that is hurt: a well-behaved
// one ends, and then ends as it was asked to.
var ErrInjected = errors.New("fault injected by the test")

// Fail makes the running incarnation of the child at path end with err, as if it
// had returned that itself; a nil err is a normal end. It returns when the
// incarnation has ended; what the supervisor does about it is for Wait.
//
// A goroutine's context is cancelled first, with ErrInjected, so that what it has
// started ends: one that does not return then ends the test.
func (tt *Tree) Fail(path string, err error) {
	tt.t.Helper()
	tt.hurt("fail", path, func() error { return err })
}

// Panic is Fail by a panic with that value.
func (tt *Tree) Panic(path string, value any) {
	tt.t.Helper()
	tt.hurt("panic", path, func() error { panic(value) })
}

// Goexit is Fail by runtime.Goexit.
func (tt *Tree) Goexit(path string) {
	tt.t.Helper()
	tt.hurt("goexit", path, goexit)
}

func (tt *Tree) hurt(what, path string, do func() error) {
	tt.t.Helper()
	r := tt.running(what, path)
	if r.actor {
		tt.System().Root.Send(tt.PID(path), &fault{do})
	} else {
		r.mu.Lock()
		r.fault = do
		r.mu.Unlock()
		r.cancel(ErrInjected)
	}
	ended := func(e tree.Event) bool {
		return e.Path == path && e.Incarnation == r.Incarnation() && (e.Kind == tree.ChildEnded || e.Kind == tree.StartFailed)
	}
	tt.await(what+" "+path+": it does not end", ended)
}

// await waits for an event, seen already or not, and passes none.
func (tt *Tree) await(otherwise string, ok func(tree.Event) bool) {
	tt.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for next := 0; ; {
		tt.mu.Lock()
		for ; next < len(tt.events); next++ {
			if ok(tt.events[next]) {
				tt.mu.Unlock()
				return
			}
		}
		news := tt.news
		tt.mu.Unlock()
		select {
		case <-news:
		case <-timer.C:
			tt.fatal(0, "%s", otherwise)
		}
	}
}

// running finds what can be hurt, or ends the test. An incarnation that has been
// started may still be on its way into Serve: it is waited for.
func (tt *Tree) running(what, path string) *run {
	tt.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		tt.mu.Lock()
		news := tt.news
		tt.mu.Unlock()
		r, began := tt.faults.run(path)
		n, err := tt.Find(tt.t.Context(), path)
		switch {
		case err != nil:
			tt.t.Fatalf("treetest: %s %s: %v", what, path, err)
		case n.Kind == "supervisor":
			tt.t.Fatalf("treetest: %s %s: it is a supervisor: hurt one of its children", what, path)
		case n.State != tree.Running && n.State != tree.Starting:
			tt.t.Fatalf("treetest: %s %s: not running: %v", what, path, n.State)
		case r != nil && r.Incarnation() == n.Incarnation:
			return r
		}
		select {
		case <-began:
		case <-news:
		case <-timer.C:
			tt.t.Fatalf("treetest: %s %s: it does not begin", what, path)
		}
	}
}

// Hang makes the child at path neither beat nor stop, until Release or the end of
// the test.
func (tt *Tree) Hang(path string) {
	tt.t.Helper()
	tt.refuse("hang", path, true)
}

// RefuseStop makes the running incarnation of the child at path go on when it is
// asked to stop, until Release or the end of the test. An actor blocks in Stopping.
func (tt *Tree) RefuseStop(path string) {
	tt.t.Helper()
	tt.refuse("refuse stop", path, false)
}

func (tt *Tree) refuse(what, path string, hung bool) {
	tt.t.Helper()
	r := tt.running(what, path)
	tt.faults.mu.Lock()
	tt.faults.refusing = append(tt.faults.refusing, r)
	tt.faults.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hung = r.hung || hung
	if r.refuses == nil {
		r.refuses = make(chan struct{})
	}
}

// Release ends Hang and RefuseStop: a stop that was asked for meanwhile is passed
// on. It does nothing for a child of which neither was asked.
func (tt *Tree) Release(path string) {
	if r, _ := tt.faults.run(path); r != nil {
		r.release()
	}
}

// FailStarts makes the next n starts of the child at path fail with err; the child
// need not exist yet. One that does not announce itself counts as started all the
// same, and fails right after. 0: none.
func (tt *Tree) FailStarts(path string, n int, err error) {
	tt.faults.mu.Lock()
	defer tt.faults.mu.Unlock()
	p := tt.faults.planFor(path)
	p.fail, p.err = n, err
}

// DelayReady makes all later incarnations of the child at path ready that much
// later than they say; 0: no later. It matters for those that announce themselves.
func (tt *Tree) DelayReady(path string, d time.Duration) {
	tt.faults.mu.Lock()
	defer tt.faults.mu.Unlock()
	tt.faults.planFor(path).delay = d
}

func (f *faults) planFor(path string) *plan {
	p := f.plan[path]
	if p == nil {
		p = new(plan)
		f.plan[path] = p
	}
	return p
}
