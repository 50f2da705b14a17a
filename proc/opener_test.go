package proc_test

import (
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/proc"
	"github.com/coppice-go/coppice/tree"
)

// opened counts what is open, and fails where f does.
type opened struct {
	io.Writer // nobody's
	open      func() error
	write     func([]byte) (int, error)
	close     func() error
	now, ever int
}

func (o *opened) Open() (io.WriteCloser, error) {
	if o.open != nil {
		if err := o.open(); err != nil {
			return nil, err
		}
	}
	o.now++
	o.ever++
	return &opening{o}, nil
}

type opening struct{ o *opened }

func (w *opening) Write(b []byte) (int, error) { return w.o.write(b) }

func (w *opening) Close() error {
	w.o.now--
	if w.o.close != nil {
		return w.o.close()
	}
	return nil
}

// It is opened for each incarnation, and closed with the last byte written.
func TestOpener(t *testing.T) {
	var out strings.Builder
	o := &opened{write: func(b []byte) (int, error) { return out.Write(b) }}
	c := helper(t, "out=a", "exit=3")
	c.Stdout = o
	for i := range 3 {
		require.Equal(t, 3, serve(t, c).exited().Code)
		require.Equal(t, i+1, o.ever)
		require.Zero(t, o.now)
	}
	require.Equal(t, "a\na\na\n", out.String())
}

// One that cannot be opened fails the start, and nothing is left open.
func TestOpenerThatFails(t *testing.T) {
	o := &opened{write: func(b []byte) (int, error) { return len(b), nil }}
	for name, open := range map[string]func() error{
		"error": func() error { return errBroken },
		"panic": func() error { panic(errBroken) },
	} {
		t.Run(name, func(t *testing.T) {
			trace := file(t)
			c := helper(t, "touch="+trace)
			c.Stdout, c.Stderr = o, &opened{open: open}
			_, err := tryStart(t, tree.Spec{Children: []tree.Child{{Name: "p", Service: c}}})
			require.ErrorIs(t, err, errBroken)
			require.ErrorContains(t, err, "Stderr")
			require.NoFileExists(t, trace)
			require.Zero(t, o.now)
		})
	}
	require.Error(t, serve(t, &proc.Command{Path: "/no/such/program", Stdout: o}).end())
	require.Zero(t, o.now)
}

// openFunc opens what it returns.
type openFunc func() (io.WriteCloser, error)

func (openFunc) Write([]byte) (int, error)       { return 0, errBroken }
func (f openFunc) Open() (io.WriteCloser, error) { return f() }

func TestOpenerThatOpensNothing(t *testing.T) {
	c := helper(t, "out=a")
	c.Stdout = openFunc(func() (io.WriteCloser, error) { return nil, nil })
	require.ErrorContains(t, notStarted(t, c), "Stdout: Open returned neither")
}

// A Write that fails is tried again: what comes meanwhile is dropped in whole
// lines, and counted.
func TestOpenerRecovers(t *testing.T) {
	var out strings.Builder
	var works, wrote atomic.Bool
	o := &opened{write: func(b []byte) (int, error) {
		if !works.Load() {
			return 0, errBroken
		}
		wrote.Store(true)
		return out.Write(b)
	}}
	j := &journal{}
	gate := file(t)
	c := helper(t, "raw=1\\n2\\nhalf", "ticks="+gate, "exit=3")
	c.Stdout, c.Logger = o, j.logger()
	r := serve(t, c)
	j.await(t, "output not written")
	works.Store(true)
	require.Eventually(t, wrote.Load, patience, glance)
	require.NoError(t, touch(gate))
	e := r.exited()
	require.Empty(t, strings.ReplaceAll(out.String(), "tick\n", ""))
	require.GreaterOrEqual(t, e.Dropped, int64(3))
	told := j.all()
	require.Len(t, told, 2)
	require.Equal(t, "output dropped", told[1].text)
	require.Equal(t, e.Dropped, told[1].attrs["lines"])
}

func TestOpenerThatPanics(t *testing.T) {
	for name, f := range failures {
		t.Run(name, func(t *testing.T) {
			o := &opened{write: func(b []byte) (int, error) { f(); return 0, nil }}
			c := helper(t, "long=300000", "exit=3")
			c.Stdout = o
			require.Equal(t, 3, serve(t, c).exited().Code)
			require.Zero(t, o.now)
			o.write = func(b []byte) (int, error) { return len(b), nil }
			o.close = func() error { f(); return errors.New("no") }
			require.Equal(t, 3, serve(t, c).exited().Code)
			require.Zero(t, o.now)
		})
	}
}
