package treetest

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/coppice-go/coppice/tree"
)

// patience bounds what should take no time: that a child which was hurt ends.
const patience = 10 * time.Second

// Tree is a running tree in a test. Its methods end the test, by t.Fatal, where
// what they are asked for cannot be: call those from the test's own goroutine.
type Tree struct {
	*tree.Tree
	t      testing.TB
	root   string
	faults faults
	latest *tree.Subscription // shows what has been published

	mu       sync.Mutex
	received uint64 // of latest
	events   []tree.Event
	news     chan struct{} // closed and made anew with every event
	waited   int           // events that Wait has passed
	lived    int           // events that Life has told
	over     bool          // the test has ended: nothing may be logged
}

// Start starts spec as Runner{}.Start does, and stops it in order when the test
// ends. A tree that does not start ends the test; what does not stop fails it,
// with its stack. The tree logs to t.
func Start(t testing.TB, spec tree.Spec) *Tree {
	t.Helper()
	return StartRunner(t, tree.Runner{}, spec)
}

// StartRunner is Start with a Runner of one's own. A nil Logger logs to t. Its
// OnEvent is called too.
func StartRunner(t testing.TB, r tree.Runner, spec tree.Spec) *Tree {
	t.Helper()
	tt := &Tree{t: t, news: make(chan struct{}), root: spec.Name}
	tt.faults.init()
	if tt.root == "" {
		tt.root = tree.DefaultName
	}
	if r.Logger == nil {
		r.Logger = slog.New(slog.NewTextHandler(writer{tt}, nil))
	}
	own := r.OnEvent
	r.OnEvent = func(e tree.Event) {
		tt.add(e)
		if own != nil {
			own(e)
		}
	}
	r.EventBuffer = max(r.EventBuffer, 1<<14)
	started, err := r.Start(context.Background(), tt.faults.spec(spec))
	if err != nil {
		t.Fatalf("treetest: %v", err)
	}
	tt.Tree = started
	tt.latest = started.Subscribe(1)
	t.Cleanup(tt.end)
	return tt
}

// end stops the tree and tells what has not stopped.
func (tt *Tree) end() {
	tt.t.Helper()
	tt.faults.releaseAll()
	report, err := tt.Stop(context.Background())
	if err != nil {
		tt.t.Errorf("treetest: %s did not stop: %v", tt.root, report)
	}
	tt.mu.Lock()
	defer tt.mu.Unlock()
	tt.over = true
}

// StartChild is that of tree.Tree. The child can be hurt as those of the spec.
func (tt *Tree) StartChild(ctx context.Context, sup string, c tree.Child) error {
	return tt.Tree.StartChild(ctx, sup, tt.faults.child(c))
}

func (tt *Tree) add(e tree.Event) {
	tt.mu.Lock()
	defer tt.mu.Unlock()
	if n := uint64(len(tt.events)); e.Seq != n+1 && !tt.over {
		tt.t.Errorf("treetest: %d events lost before %v of %s", e.Seq-n-1, e.Kind, e.Path)
	}
	tt.events = append(tt.events, e)
	close(tt.news)
	tt.news = make(chan struct{})
}

// Events are all events so far.
func (tt *Tree) Events() []tree.Event {
	tt.catchUp()
	tt.mu.Lock()
	defer tt.mu.Unlock()
	return append([]tree.Event(nil), tt.events...)
}

// catchUp waits until what has been published has been recorded too.
func (tt *Tree) catchUp() {
	published := tt.published()
	for {
		tt.mu.Lock()
		seen, news := uint64(len(tt.events)), tt.news
		tt.mu.Unlock()
		if seen >= published {
			return
		}
		select {
		case <-news:
		case <-tt.Done():
			return // the end has waited for all of them
		}
	}
}

// published counts the events that there have been.
func (tt *Tree) published() uint64 {
	tt.mu.Lock()
	defer tt.mu.Unlock()
	for {
		select {
		case _, ok := <-tt.latest.C:
			if ok {
				tt.received++
				continue
			}
		default:
		}
		return tt.latest.After + tt.received + tt.latest.Dropped()
	}
}

// writer logs to the test, until it has ended.
type writer struct{ tt *Tree }

func (w writer) Write(b []byte) (int, error) {
	w.tt.mu.Lock()
	defer w.tt.mu.Unlock()
	if !w.tt.over {
		w.tt.t.Logf("%s", b[:len(b)-1])
	}
	return len(b), nil
}

func path(e tree.Event) string {
	if e.Incarnation > 1 {
		return fmt.Sprintf("%s#%d", e.Path, e.Incarnation)
	}
	return e.Path
}
