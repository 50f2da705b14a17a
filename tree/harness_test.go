package tree_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

var errBoom = errors.New("boom")

// Intensities: never gives up, gives up at once.
var (
	unlimited = strategies.Intensity{Max: strategies.Unlimited}
	none      = strategies.Intensity{Max: 0, Within: time.Second}
)

// bubble runs f in virtual time. Goroutines that f leaves behind fail this test
// and let the others run.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	defer func() {
		if r := recover(); r != nil {
			t.Errorf("bubble: %v", r)
		}
	}()
	synctest.Test(t, f)
}

// part is a child that a test controls: it runs until it is asked to stop, or
// until the test makes it do something else.
type part struct {
	do chan func() error

	mu     sync.Mutex
	starts int
	onRun  func(ctx context.Context, n int) error // n-th start; nil, nil: go on
	onStop func(ctx context.Context) error        // asked to stop
	cause  error                                  // of the last stop
	ctx    context.Context                        // of the last run
}

func newPart() *part { return &part{do: make(chan func() error)} }

// onStart makes a part that calls f first. It runs on if f returns nil.
func onStart(f func(ctx context.Context, n int) error) *part {
	p := newPart()
	p.onRun = f
	return p
}

// onStop makes a part that answers the request to stop with f.
func onStop(f func(ctx context.Context) error) *part {
	p := newPart()
	p.onStop = f
	return p
}

func (p *part) Serve(ctx context.Context) error {
	p.mu.Lock()
	p.starts++
	n, first := p.starts, p.onRun
	p.ctx = ctx
	p.mu.Unlock()
	if first != nil {
		if err := first(ctx, n); err != nil {
			return err
		}
	}
	select {
	case f := <-p.do:
		return f()
	case <-ctx.Done():
	}
	p.mu.Lock()
	p.cause = context.Cause(ctx)
	p.mu.Unlock()
	if p.onStop != nil {
		return p.onStop(ctx)
	}
	return ctx.Err()
}

// run makes the running incarnation call f and end with what it returns.
func (p *part) run(f func() error) {
	p.do <- f
	synctest.Wait()
}

// end makes the running incarnation return err.
func (p *part) end(err error) { p.run(func() error { return err }) }

func (p *part) lastCause() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cause
}

func (p *part) context() context.Context {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ctx
}

// announced is a part whose supervisor waits for Ready.
type announced struct{ *part }

func (announced) AnnouncesReady() bool { return true }

// world is a running tree and all that it has told.
type world struct {
	*tree.Tree
	t testing.TB

	mu     sync.Mutex
	events []tree.Event
	seen   int
}

// record returns a world whose tree is to be started by the test.
func record(t testing.TB) *world { return &world{t: t} }

func (w *world) add(e tree.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
}

func (w *world) runner() tree.Runner {
	return tree.Runner{OnEvent: w.add, Logger: slog.New(slog.DiscardHandler)}
}

// start starts spec as "root" and stops it at the end of the test.
func start(t testing.TB, spec tree.Spec) *world {
	t.Helper()
	w := record(t)
	tr, err := w.runner().Start(context.Background(), spec)
	require.NoError(t, err)
	w.Tree = tr
	t.Cleanup(func() { _, _ = tr.Stop(context.Background()) })
	synctest.Wait()
	return w
}

// background starts spec without waiting until it is up.
func background(t testing.TB, ctx context.Context, spec tree.Spec) (w *world, done <-chan error) {
	w = record(t)
	ch := make(chan error, 1)
	go func() { ch <- w.runner().Run(ctx, spec) }()
	synctest.Wait()
	return w, ch
}

// news returns the events since the last call of news, life or story.
func (w *world) news() []tree.Event {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.events[w.seen:]
	w.seen = len(w.events)
	return list
}

// life tells who came and went since the last call, in order:
//
//	+a   started       +a2  its second incarnation
//	-a   ended         !a   did not start
//	~a   ignored       ?a   stuck
func (w *world) life() string {
	var words []string
	for _, e := range w.news() {
		sign, ok := map[tree.EventKind]string{
			tree.ChildStarted: "+", tree.ChildEnded: "-", tree.StartFailed: "!", tree.ChildIgnored: "~", tree.ChildStuck: "?",
		}[e.Kind]
		if ok {
			words = append(words, sign+label(e))
		}
	}
	return strings.Join(words, " ")
}

// story tells every event since the last call in a line.
func (w *world) story() []string {
	var lines []string
	for _, e := range w.news() {
		if e.Kind != tree.ChildStarting { // nothing to tell yet
			lines = append(lines, line(e))
		}
	}
	return lines
}

// label is the event's path below the root, and the incarnation from the second
// on.
func label(e tree.Event) string {
	_, s, ok := strings.Cut(e.Path, "/")
	if !ok {
		s = e.Path
	}
	if e.Incarnation > 1 {
		s += fmt.Sprint(e.Incarnation)
	}
	return s
}

func line(e tree.Event) string { return label(e) + ": " + what(e) }

// what is the event without who it is about.
func what(e tree.Event) string {
	s := e.Kind.String()
	switch e.Kind {
	case tree.ChildEnded, tree.LateEnd:
		s += ", " + e.Class.String()
	case tree.RestartPlanned:
		s += fmt.Sprintf(", %d of %d", e.Used, e.Max)
		if e.Delay > 0 {
			s += fmt.Sprintf(", in %v", e.Delay)
		}
	case tree.NotRestarted, tree.GaveUp, tree.SupervisorEnding:
		s += ", by " + e.Rule.String()
	case tree.RequestDone:
		s += ", " + e.Request
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// states tells the state of every child of the supervisor at path, in order.
func (w *world) states(path string) string {
	w.t.Helper()
	synctest.Wait()
	n, err := w.Find(context.Background(), path)
	require.NoError(w.t, err)
	var words []string
	for _, c := range n.Children {
		words = append(words, c.Name+" "+c.State.String())
	}
	return strings.Join(words, ", ")
}

func (w *world) node(path string) tree.Node {
	w.t.Helper()
	synctest.Wait()
	n, err := w.Find(context.Background(), path)
	require.NoError(w.t, err)
	return n
}

// stop stops the tree and requires that all has ended.
func (w *world) stop() {
	w.t.Helper()
	_, err := w.Stop(context.Background())
	require.NoError(w.t, err)
}

// ended returns why the tree has ended by itself. It is given a moment for that.
func (w *world) ended() error {
	w.t.Helper()
	select {
	case <-w.Done():
	case <-time.After(time.Second):
		w.t.Fatal("the tree has not ended")
	}
	return w.Wait(context.Background())
}

func (w *world) requireAlive() {
	w.t.Helper()
	synctest.Wait()
	select {
	case <-w.Done():
		w.t.Fatal("the tree has ended")
	default:
	}
}

// kids makes one child of every service, named a, b, c and so on.
func kids(services ...actor.Service) []tree.Child {
	list := make([]tree.Child, len(services))
	for i, s := range services {
		list[i] = tree.Child{Name: string(rune('a' + i)), Service: s}
	}
	return list
}

// sleep lets d pass, and all that is due by then happen.
func sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// later runs f in a goroutine and returns its result.
func later[T any](f func() T) <-chan T {
	ch := make(chan T, 1)
	go func() { ch <- f() }()
	synctest.Wait()
	return ch
}

// pending tells that nothing has come yet.
func pending[T any](ch <-chan T) bool {
	synctest.Wait()
	select {
	case <-ch:
		return false
	default:
		return true
	}
}
