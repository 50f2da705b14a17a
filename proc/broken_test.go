package proc_test

import (
	"context"
	"io"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/proc"
	"github.com/coppice-go/coppice/tree"
)

// hook calls f before the handler.
type hook struct {
	slog.Handler
	f func(slog.Record)
}

func (hook) Enabled(context.Context, slog.Level) bool { return true }

func (h hook) Handle(ctx context.Context, r slog.Record) error {
	h.f(r)
	return h.Handler.Handle(ctx, r)
}

func (h hook) WithAttrs(a []slog.Attr) slog.Handler { return hook{h.Handler.WithAttrs(a), h.f} }

// counter is a handler that counts.
type counter struct{ sum atomic.Int64 }

func (c *counter) n() int64                                  { return c.sum.Load() }
func (*counter) Enabled(context.Context, slog.Level) bool    { return true }
func (c *counter) WithAttrs([]slog.Attr) slog.Handler        { return c }
func (c *counter) WithGroup(string) slog.Handler             { return c }
func (c *counter) Handle(context.Context, slog.Record) error { c.sum.Add(1); return nil }

// The ways in which a writer or a handler can fail to return.
var failures = map[string]func(){
	"panics": func() { panic(errBroken) },
	"exits":  runtime.Goexit,
}

func TestWriterThatFails(t *testing.T) {
	writes := map[string]func([]byte) (int, error){
		"error": func([]byte) (int, error) { return 0, errBroken },
	}
	for name, f := range failures {
		writes[name] = func([]byte) (int, error) { f(); return 0, nil }
	}
	for name, f := range writes {
		t.Run(name, func(t *testing.T) {
			j := &journal{}
			calls := 0
			c := helper(t, "long=300000", "out=", "err=done", "exit=3")
			c.Logger = j.logger()
			c.Stdout = writerFunc(func(b []byte) (int, error) { calls++; return f(b) })
			require.Equal(t, 3, serve(t, c).exited().Code, "the process was not held up")
			require.Equal(t, 1, calls, "the rest is thrown away")
			require.Equal(t, []string{"done"}, j.lines("stderr"))
			var complaints []entry
			for _, e := range j.all() {
				if e.text == "output not written" {
					complaints = append(complaints, e)
				}
			}
			require.Len(t, complaints, 1)
			require.Equal(t, "stdout", complaints[0].attrs["stream"])
			require.Error(t, complaints[0].attrs["error"].(error))
		})
	}
}

func TestNilWriterInAnInterface(t *testing.T) {
	var nobody *writerFunc
	c := helper(t, "out=a", "exit=3")
	c.Stdout = struct{ *writerFunc }{nobody}
	require.Equal(t, 3, serve(t, c).exited().Code)
}

func TestLoggerThatFails(t *testing.T) {
	for name, f := range failures {
		t.Run(name, func(t *testing.T) {
			j := &journal{}
			c := helper(t, "lines=3", "out=fine", "exit=3")
			c.Logger = slog.New(hook{j.logger().Handler(), func(r slog.Record) {
				if r.Message == "line 2" {
					f()
				}
			}})
			e := serve(t, c).exited()
			require.Equal(t, 3, e.Code)
			require.Contains(t, e.LastLines, "line 2")
			require.Equal(t, []string{"line 1", "line 3", "fine"}, j.lines("stdout"), "only that line is lost")
		})
	}
}

// Both fail: nobody can be told, and nothing else happens.
func TestWriterAndLoggerThatFail(t *testing.T) {
	for name, f := range failures {
		t.Run(name, func(t *testing.T) {
			c := helper(t, "out=a", "err=b", "exit=3")
			c.Logger = slog.New(hook{slog.DiscardHandler, func(slog.Record) { f() }})
			c.Stdout = writerFunc(func([]byte) (int, error) { f(); return 0, nil })
			require.Equal(t, 3, serve(t, c).exited().Code)
		})
	}
}

// withPanic panics where the path is added, before there is a process.
type withPanic struct{ slog.Handler }

func (withPanic) WithAttrs([]slog.Attr) slog.Handler { panic(errBroken) }

func TestLoggerThatFailsBeforeTheStart(t *testing.T) {
	trace := file(t)
	c := helper(t, "touch="+trace, "wait")
	c.Logger = slog.New(withPanic{slog.DiscardHandler})
	_, err := tryStart(t, tree.Spec{Children: []tree.Child{{Name: "p", Service: c}}})
	require.ErrorIs(t, err, tree.ErrStartFailed)
	require.ErrorIs(t, err, errBroken)
	require.NoFileExists(t, trace)
}

// anonymous is a handler that fails where the pid is added, once there is a process.
type anonymous struct{ slog.Handler }

func (h anonymous) WithAttrs(a []slog.Attr) slog.Handler {
	if a[0].Key == "pid" {
		panic(errBroken)
	}
	return anonymous{h.Handler.WithAttrs(a)}
}

func TestLoggerThatFailsAtThePID(t *testing.T) {
	j := &journal{}
	c := helper(t, "lines=3")
	c.Logger = slog.New(anonymous{j.logger().Handler()})
	require.NoError(t, serve(t, c).end())
	require.Equal(t, []string{"line 2", "line 3"}, j.lines("stdout"))
}

// blocker blocks all who call it until the test ends.
type blocker struct {
	called chan struct{}
	once   sync.Once
	gate   chan struct{}
}

func newBlocker(t testing.TB) *blocker {
	b := &blocker{called: make(chan struct{}), gate: make(chan struct{})}
	t.Cleanup(func() { close(b.gate) })
	return b
}

func (b *blocker) block() {
	b.once.Do(func() { close(b.called) })
	<-b.gate
}

// A writer or a logger that blocks for ever holds up the process, but neither its
// stop nor its end.
func TestBlockedOutput(t *testing.T) {
	kinds := map[string]func(*proc.Command, *blocker){
		"writer": func(c *proc.Command, b *blocker) {
			c.Stdout = writerFunc(func(p []byte) (int, error) { b.block(); return len(p), nil })
		},
		"logger": func(c *proc.Command, b *blocker) {
			c.Logger = slog.New(hook{slog.DiscardHandler, func(slog.Record) { b.block() }})
		},
		"logger and reader": func(c *proc.Command, b *blocker) {
			c.Logger = slog.New(hook{slog.DiscardHandler, func(slog.Record) { b.block() }})
			c.Stdin = func() (io.Reader, error) {
				return reading(func([]byte) (int, error) { b.block(); return 0, io.EOF }), nil
			}
		},
	}
	for name, set := range kinds {
		t.Run(name+", stop", func(t *testing.T) {
			t.Parallel()
			b := newBlocker(t)
			c := helper(t, "flood")
			set(c, b)
			w := start(t, tree.Child{Name: "p", Service: c})
			<-b.called
			w.stop()
			require.Empty(t, w.have(tree.ChildStuck))
		})
		t.Run(name+", forced stop", func(t *testing.T) {
			t.Parallel()
			b := newBlocker(t)
			c := helper(t, "flood")
			set(c, b)
			w := start(t, tree.Child{Name: "p", Service: c, Shutdown: tree.Brutal})
			<-b.called
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			_, err := w.Stop(ctx)
			require.NoError(t, err)
		})
		t.Run(name+", end", func(t *testing.T) {
			t.Parallel()
			b := newBlocker(t)
			c := helper(t, "out=a", "exit=3")
			set(c, b)
			require.Equal(t, 3, serve(t, c).exited().Code)
		})
	}
}

// A writer that is given up and then returns gets nothing more of that run.
func TestWriterThatReturnsTooLate(t *testing.T) {
	b := &blocker{called: make(chan struct{}), gate: make(chan struct{})}
	var calls, after atomic.Int64
	c := helper(t, "flood")
	c.Stdout = writerFunc(func(p []byte) (int, error) {
		calls.Add(1)
		b.block()
		after.Add(1)
		return len(p), nil
	})
	r := serve(t, c)
	<-b.called
	r.cancel()
	require.NoError(t, r.end())
	close(b.gate)
	require.Eventually(t, func() bool { return after.Load() == 1 }, patience, glance)
	require.EqualValues(t, 1, calls.Load())
}
