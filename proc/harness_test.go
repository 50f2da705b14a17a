package proc_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/proc"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

const (
	patience = 30 * time.Second // for what must come
	glance   = 2 * time.Millisecond
)

var silent = slog.New(slog.DiscardHandler)

var unlimited = strategies.Intensity{Max: strategies.Unlimited}

// world is a running tree and what it has told.
type world struct {
	*tree.Tree
	t testing.TB

	mu     sync.Mutex
	events []tree.Event
}

func record(t testing.TB) *world { return &world{t: t} }

func (w *world) add(e tree.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
}

func (w *world) runner() tree.Runner {
	return tree.Runner{OnEvent: w.add, Logger: slog.New(slog.DiscardHandler)}
}

// start starts a tree of the children, with no limit to restarts, and stops it
// at the end of the test.
func start(t testing.TB, children ...tree.Child) *world {
	t.Helper()
	w, err := tryStart(t, tree.Spec{Intensity: unlimited, Children: children})
	require.NoError(t, err)
	return w
}

func tryStart(t testing.TB, spec tree.Spec) (*world, error) {
	w := record(t)
	tr, err := w.runner().Start(context.Background(), spec)
	if err != nil {
		return nil, err
	}
	w.Tree = tr
	t.Cleanup(func() { _, _ = tr.Stop(context.Background()) })
	return w, nil
}

// stop stops the tree; nothing may be stuck.
func (w *world) stop() tree.Report {
	w.t.Helper()
	r, err := w.Stop(context.Background())
	require.NoError(w.t, err)
	return r
}

// have returns the events of that kind so far.
func (w *world) have(kind tree.EventKind) (list []tree.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		if e.Kind == kind {
			list = append(list, e)
		}
	}
	return list
}

// await waits for n events of that kind and returns the n-th.
func (w *world) await(kind tree.EventKind, n int) tree.Event {
	w.t.Helper()
	var list []tree.Event
	require.Eventually(w.t, func() bool {
		list = w.have(kind)
		return len(list) >= n
	}, patience, glance, "event %v", kind)
	return list[n-1]
}

// node is the child in a snapshot.
func (w *world) node(name string) tree.Node {
	w.t.Helper()
	n, err := w.Find(context.Background(), "root/"+name)
	require.NoError(w.t, err)
	return n
}

// run is a Serve outside a tree.
type run struct {
	t      testing.TB
	cancel context.CancelFunc
	done   chan error
}

func serve(t testing.TB, c *proc.Command) *run {
	ctx, cancel := context.WithCancel(context.Background())
	r := &run{t, cancel, make(chan error, 1)}
	go func() { r.done <- c.Serve(ctx) }()
	t.Cleanup(cancel)
	return r
}

// end waits for the end.
func (r *run) end() error {
	r.t.Helper()
	select {
	case err := <-r.done:
		return err
	case <-time.After(patience):
		require.FailNow(r.t, "Serve does not return")
		return nil
	}
}

// exited is end, as an *ExitError.
func (r *run) exited() *proc.ExitError {
	r.t.Helper()
	var e *proc.ExitError
	require.ErrorAs(r.t, r.end(), &e)
	return e
}

// journal is a slog.Handler that keeps the lines.
type journal struct {
	mu      sync.Mutex
	entries []entry
}

type entry struct {
	level slog.Level
	text  string
	attrs map[string]any
}

type journalist struct {
	*journal
	with []slog.Attr
}

func (j *journal) logger() *slog.Logger { return slog.New(journalist{j, nil}) }

func (journalist) Enabled(context.Context, slog.Level) bool { return true }
func (j journalist) WithGroup(string) slog.Handler          { return j }

func (j journalist) WithAttrs(a []slog.Attr) slog.Handler {
	return journalist{j.journal, slices.Concat(j.with, a)}
}

func (j journalist) Handle(_ context.Context, r slog.Record) error {
	e := entry{r.Level, r.Message, map[string]any{}}
	add := func(a slog.Attr) bool {
		e.attrs[a.Key] = a.Value.Resolve().Any()
		return true
	}
	for _, a := range j.with {
		add(a)
	}
	r.Attrs(add)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, e)
	return nil
}

func (j *journal) all() []entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.entries)
}

// lines are the texts of a stream; of all that is no stream's if that is "".
func (j *journal) lines(stream string) []string {
	texts := []string{}
	for _, e := range j.all() {
		if s, _ := e.attrs["stream"].(string); s == stream && (e.level == slog.LevelInfo) == (stream != "") {
			texts = append(texts, e.text)
		}
	}
	return texts
}

// await waits for a line that contains text.
func (j *journal) await(t testing.TB, text string) {
	t.Helper()
	require.Eventually(t, func() bool {
		return slices.ContainsFunc(j.all(), func(e entry) bool { return strings.Contains(e.text, text) })
	}, patience, glance, "line %q", text)
}

// file is a name in a directory of the test's own.
func file(t testing.TB) string { return filepath.Join(t.TempDir(), "file") }

// content waits for the file and returns what is in it.
func content(t testing.TB, name string) string {
	t.Helper()
	require.Eventually(t, func() bool { return exists(name) }, patience, glance)
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(b)
}

var errBroken = errors.New("broken")

// writerFunc is a writer.
type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

var _ io.Writer = writerFunc(nil)

func touch(name string) error { return os.WriteFile(name, nil, 0o600) }

// slow restarts no sooner than the test ends.
var slow = strategies.Policy{Delay: time.Hour}

// written is a file with that text in it.
func written(t testing.TB, text string) string {
	name := file(t)
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	return name
}
