package proc_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/proc"
	"github.com/coppice-go/coppice/tree"
)

// gated is a writer and a handler that keeps what it gets, and waits for the gate
// before each.
type gated struct {
	gate <-chan struct{}
	mu   sync.Mutex
	b    bytes.Buffer
}

func (g *gated) Write(b []byte) (int, error) {
	<-g.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.b.Write(b)
}

func (g *gated) text() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.b.String()
}

// A process that nobody reads ends, its last lines are there, and what has come
// through are whole lines in order; the rest is counted.
func TestDrop(t *testing.T) {
	const n = 200_000
	for _, kind := range []string{"writer", "logger"} {
		t.Run(kind, func(t *testing.T) {
			j := &journal{}
			gate, written := make(chan struct{}), file(t)
			g := &gated{gate: gate}
			c := helper(t, is("lines", n), "touch="+written, "until="+written+".go", "err=", "exit=3")
			c.Overflow, c.OutputBuffer, c.Logger = proc.Drop, 128<<10, j.logger()
			if kind == "writer" {
				c.Stdout = g
			} else {
				c.Logger = slog.New(hook{j.logger().Handler(), func(slog.Record) { <-gate }})
			}
			w := start(t, tree.Child{Name: "p", Service: c, Policy: slow})
			content(t, written) // it was not held up
			require.Eventually(t, func() bool {
				lines, err := proc.Tail(t.Context(), w, "root/p", 1)
				return err == nil && len(lines) == 1 && lines[0] == fmt.Sprint("line ", n)
			}, patience, glance)
			stdout, _, err := proc.Output(t.Context(), w, "root/p")
			require.NoError(t, err)
			require.Positive(t, stdout.DroppedLines)
			require.Positive(t, stdout.DroppedBytes)
			close(gate)
			require.NoError(t, touch(written+".go"))
			var exit *proc.ExitError
			require.ErrorAs(t, w.await(tree.ChildEnded, 1).Err, &exit)
			require.GreaterOrEqual(t, exit.Dropped, stdout.DroppedLines)
			require.Contains(t, exit.LastLines, fmt.Sprint("line ", n))

			lines := j.lines("stdout")
			if kind == "writer" {
				lines = strings.Split(strings.TrimSuffix(g.text(), "\n"), "\n")
			}
			require.EqualValues(t, n, len(lines)+int(exit.Dropped))
			last := 0
			for _, line := range lines {
				k, err := strconv.Atoi(strings.TrimPrefix(line, "line "))
				require.NoError(t, err)
				require.Greater(t, k, last)
				last = k
			}
			told := int64(0)
			for _, e := range j.all() {
				if e.text == "output dropped" {
					require.Equal(t, "stdout", e.attrs["stream"])
					told += e.attrs["lines"].(int64)
				}
			}
			require.Equal(t, exit.Dropped, told)
		})
	}
}

// LogLine sees also what nobody else has got.
func TestDropIsReady(t *testing.T) {
	b := newBlocker(t)
	c := helper(t, "long=1000000", "out=", "lines=100000", "out=ready", "wait")
	c.Overflow, c.Ready = proc.Drop, proc.LogLine("^ready$")
	c.Stdout = writerFunc(func([]byte) (int, error) { b.block(); return 0, nil })
	start(t, tree.Child{Name: "p", Service: c}).stop()
}

// A fast consumer gets all of it.
func TestDropOfNothing(t *testing.T) {
	var out bytes.Buffer
	c := helper(t, `raw=a\r\n\xffb`, "err=c")
	c.Overflow, c.Stdout = proc.Drop, &out
	require.NoError(t, serve(t, c).end())
	require.Equal(t, "a\r\n\xffb", out.String())
}

// Under Drop too a writer or a logger that fails or blocks is its own business.
func TestDropToTheBroken(t *testing.T) {
	for name, f := range failures {
		t.Run(name, func(t *testing.T) {
			calls := 0
			c := helper(t, "long=300000", "out=", "lines=5", "err=done", "exit=3")
			j := &journal{}
			c.Overflow, c.Logger = proc.Drop, j.logger()
			c.Stdout = writerFunc(func([]byte) (int, error) { calls++; f(); return 0, nil })
			e := serve(t, c).exited()
			require.Equal(t, 3, e.Code)
			require.Contains(t, e.LastLines, "line 5")
			require.Equal(t, 1, calls)
			require.Equal(t, []string{"done"}, j.lines("stderr"))

			c.Stdout, c.Logger = nil, slog.New(hook{slog.DiscardHandler, func(slog.Record) { f() }})
			require.Equal(t, 3, serve(t, c).exited().Code)
		})
	}
	for _, steps := range [][]string{{"flood"}, {"out=a", "exit=3"}} {
		b := newBlocker(t)
		c := helper(t, steps...)
		c.Overflow = proc.Drop
		c.Logger = slog.New(hook{slog.DiscardHandler, func(slog.Record) { b.block() }})
		r := serve(t, c)
		<-b.called
		if steps[0] == "flood" {
			r.cancel()
			require.NoError(t, r.end())
		} else {
			require.Equal(t, 3, r.exited().Code)
		}
	}
}

// highest is a writer that notes the most heap there was.
type highest struct {
	sum  int64
	heap uint64
}

func (h *highest) Write(b []byte) (int, error) {
	if h.sum += int64(len(b)); h.sum>>24 != (h.sum-int64(len(b)))>>24 {
		h.heap = max(h.heap, heap())
	}
	return len(b), nil
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A line of 100 MB, and as much in many lines, costs a small part of that in
// memory, and all of it arrives or is counted.
func TestMemoryIsBounded(t *testing.T) {
	const size, bound = 100_000_000, 20 << 20
	for _, overflow := range []proc.Overflow{proc.Block, proc.Drop} {
		for _, step := range []string{"long", "many"} {
			t.Run(fmt.Sprint(overflow, ", ", step), func(t *testing.T) {
				runtime.GC()
				before := heap()
				h := &highest{}
				c := helper(t, is(step, size), "exit=3")
				c.Overflow, c.Stdout = overflow, h
				e := serve(t, c).exited()
				h.heap = max(h.heap, heap())
				require.LessOrEqual(t, h.heap, before+bound)
				if overflow == proc.Block {
					require.EqualValues(t, size, h.sum)
					require.Zero(t, e.Dropped)
				}
				require.NotEmpty(t, e.LastLines)

				lines := &highest{}
				c.Stdout, c.Logger = nil, slog.New(hook{slog.DiscardHandler, func(r slog.Record) { _, _ = lines.Write([]byte(r.Message)) }})
				require.Equal(t, 3, serve(t, c).exited().Code)
				require.LessOrEqual(t, max(lines.heap, heap()), before+bound)
			})
		}
	}
}

// Floods from several processes starve nobody: a stop in the midst of them works.
func TestFloodsDoNotStarve(t *testing.T) {
	for _, overflow := range []proc.Overflow{proc.Block, proc.Drop} {
		var children []tree.Child
		for i := range 4 {
			c := helper(t, "many=-1")
			c.Overflow, c.Stdout = overflow, writerFunc(func(b []byte) (int, error) { return len(b), nil })
			children = append(children, tree.Child{Name: fmt.Sprint("p", i), Service: c})
		}
		w := start(t, children...)
		require.Eventually(t, func() bool {
			stdout, _, err := proc.Output(t.Context(), w, "root/p3")
			return err == nil && stdout.Bytes > 10<<20
		}, patience, glance)
		w.stop()
		require.Empty(t, w.have(tree.ChildStuck))
	}
}

// A snapshot has the last lines, of a process that runs and of one that has ended.
func TestLastLinesInASnapshot(t *testing.T) {
	gate := file(t)
	c := helper(t, "out=a", "err=b", "until="+gate, "err=c", "exit=3")
	c.TailLines = 2
	w := start(t, tree.Child{Name: "p", Service: c, Policy: slow}, tree.Child{Name: "f", Service: actor.Func(func(ctx context.Context) error {
		<-ctx.Done()
		return nil
	})})
	n := w.node("p")
	require.Eventually(t, func() bool { return len(n.LastLines()) == 2 }, patience, glance)
	require.ElementsMatch(t, []string{"a", "b"}, n.LastLines())
	require.NoError(t, touch(gate))
	w.await(tree.RestartPlanned, 1)
	require.Equal(t, "c", w.node("p").LastLines()[1])
	require.Nil(t, w.node("f").LastLines)
}

// A file is the process's own: nothing of it passes through this program.
func TestFilesAreHandedOver(t *testing.T) {
	name := file(t)
	f, err := os.Create(name)
	require.NoError(t, err)
	defer f.Close()
	j := &journal{}
	c := helper(t, "out=to the file", "err=to the log", "exit=3")
	c.Stdout, c.Logger = f, j.logger()
	for range 2 { // it stays open
		e := serve(t, c).exited()
		require.Equal(t, []string{"to the log"}, e.LastLines)
	}
	c.Stderr = f
	require.Empty(t, serve(t, c).exited().LastLines)
	require.Equal(t, "to the file\nto the file\nto the file\nto the log\n", content(t, name))
	require.Equal(t, []string{"to the log", "to the log"}, j.lines("stderr"))
	require.Empty(t, j.lines("stdout"))

	w := start(t, tree.Child{Name: "p", Service: func() *proc.Command {
		c := helper(t, "wait")
		c.Stdout, c.Stderr = f, f
		return c
	}()})
	_, _, err = proc.Output(t.Context(), w, "root/p")
	require.NoError(t, err)
	w.stop()

	require.NoError(t, f.Close())
	err = c.Serve(context.Background())
	require.ErrorIs(t, err, os.ErrClosed)
	require.ErrorContains(t, err, "Stdout")
}

// A file that was closed is none, also where the program is the parent.
func TestClosedFiles(t *testing.T) {
	f, err := os.Open(os.DevNull)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	for _, guardian := range []string{"", "off"} {
		t.Setenv("COPPICE_GUARDIAN", guardian)
		for field, c := range map[string]*proc.Command{
			"Files[1]": {Files: []*os.File{os.Stderr, f}},
			"Stdin":    {Stdin: func() (io.Reader, error) { return f, nil }},
		} {
			c.Path, c.Logger = "/bin/true", silent
			err := c.Serve(context.Background())
			require.ErrorIs(t, err, os.ErrClosed)
			require.ErrorContains(t, err, field)
		}
	}
}

func TestOutputThatIsNonsense(t *testing.T) {
	var none *os.File
	for want, c := range map[string]*proc.Command{
		"Stdout: nil *os.File":                   {Stdout: none},
		"Stderr: nil *os.File":                   {Stderr: none},
		"Ready: LogLine sees no line":            {Stdout: os.Stdout, Stderr: os.Stderr, Ready: proc.LogLine("x")},
		"Overflow: no such policy: 7":            {Overflow: 7},
		"OutputBuffer: not used unless Overflow": {OutputBuffer: 1 << 20},
		"OutputBuffer: not from":                 {Overflow: proc.Drop, OutputBuffer: 1},
		"TailLines: more than 10000":             {TailLines: 10_001},
	} {
		c.Path = "true"
		require.ErrorContains(t, c.Validate(), want)
	}
	require.NoError(t, (&proc.Command{Path: "true", Stdout: os.Stdout, Ready: proc.LogLine("x")}).Validate(), "stderr is read")
	require.Equal(t, "block drop Overflow(9)", fmt.Sprint(proc.Block, " ", proc.Drop, " ", proc.Overflow(9)))
}
