package proc_test

import (
	"context"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/proc"
	"github.com/coppice-go/coppice/tree"
)

// source is that of a Socket.
type source func() (*os.File, error)

func (s source) File() (*os.File, error) { return s() }

// held is what user code has opened and proc has not closed.
type held struct{ atomic.Int64 }

type holding struct {
	io.Reader
	io.Writer
	h     *held
	close func()
}

func (h *holding) Close() error {
	h.h.Add(-1)
	h.close()
	return nil
}

func (h *held) open(close func()) *holding {
	h.Add(1)
	return &holding{strings.NewReader(""), io.Discard, h, close}
}

// userCode are the fields whose user code is called at a start, with what they do
// before they open something.
func userCode(h *held) map[string]func(c *proc.Command, do func()) {
	opener := func(do func()) io.Writer {
		return openFunc(func() (io.WriteCloser, error) { do(); return h.open(func() {}), nil })
	}
	return map[string]func(*proc.Command, func()){
		"Stdout": func(c *proc.Command, do func()) { c.Stdout = opener(do) },
		"Stderr": func(c *proc.Command, do func()) { c.Stderr = opener(do) },
		"Stdin": func(c *proc.Command, do func()) {
			c.Stdin = func() (io.Reader, error) { do(); return h.open(func() {}), nil }
		},
		"Sockets": func(c *proc.Command, do func()) {
			c.Sockets = []proc.Socket{{Source: source(func() (*os.File, error) { do(); return os.Open(os.DevNull) })}}
		},
	}
}

// User code that blocks holds up neither a stop nor a StartTimeout, and what it opens
// later is closed.
func TestStartThatBlocks(t *testing.T) {
	var h held
	for field := range userCode(&h) {
		t.Run(field, func(t *testing.T) {
			b := &blocker{called: make(chan struct{}), gate: make(chan struct{})}
			trace := file(t)
			blocking := func() *proc.Command {
				c := helper(t, "touch="+trace)
				for f, set := range userCode(&h) {
					if set(c, func() {}); f == field {
						set(c, b.block)
					}
				}
				return c
			}
			r := serve(t, blocking())
			<-b.called
			r.cancel()
			err := r.end()
			require.ErrorContains(t, err, field)
			require.ErrorIs(t, err, actor.ErrStuck)

			_, err = tryStart(t, tree.Spec{Children: []tree.Child{{Name: "p", Service: blocking(), StartTimeout: 20 * time.Millisecond}}})
			require.ErrorIs(t, err, tree.ErrStartFailed)
			close(b.gate)
			require.Eventually(t, func() bool { return h.Load() == 0 }, patience, glance)
			require.NoFileExists(t, trace)
		})
	}
}

// It may end in any way, and nothing is left open.
func TestStartThatPanics(t *testing.T) {
	var h held
	for field := range userCode(&h) {
		for name, fail := range failures {
			t.Run(field+" "+name, func(t *testing.T) {
				trace := file(t)
				c := helper(t, "touch="+trace)
				for f, set := range userCode(&h) {
					if set(c, func() {}); f == field {
						set(c, fail)
					}
				}
				err := serve(t, c).end()
				require.ErrorContains(t, err, field)
				if name == "panics" {
					require.ErrorIs(t, err, errBroken)
				} else {
					require.ErrorIs(t, err, actor.ErrGoexit)
				}
				require.Zero(t, h.Load())
				require.NoFileExists(t, trace)
			})
		}
	}
}

// When the start has failed, closing what was opened may block, too, or not return.
func TestFailedStartThatIsNotClosed(t *testing.T) {
	for name, set := range map[string]func(*proc.Command, *held, func()){
		"Stdout": func(c *proc.Command, h *held, do func()) {
			c.Stdout = openFunc(func() (io.WriteCloser, error) { return h.open(do), nil })
		},
		"Stdin": func(c *proc.Command, h *held, do func()) {
			c.Stdin = func() (io.Reader, error) { return h.open(do), nil }
		},
	} {
		for how, fail := range failures {
			t.Run(name+" "+how, func(t *testing.T) {
				var h held
				c := &proc.Command{Path: "/no/such/program", Logger: silent, Stderr: openFunc(func() (io.WriteCloser, error) { return h.open(func() {}), nil })}
				set(c, &h, fail)
				require.ErrorIs(t, serve(t, c).end(), os.ErrNotExist)
				require.Zero(t, h.Load())
			})
		}
		t.Run(name+" blocks", func(t *testing.T) {
			var h held
			b := newBlocker(t)
			j := &journal{}
			c := &proc.Command{Path: "/no/such/program", Logger: j.logger()}
			set(c, &h, b.block)
			require.ErrorIs(t, serve(t, c).end(), os.ErrNotExist)
			j.await(t, "not closed in time")
		})
	}
}

// A stop that comes while it is opened starts nothing.
func TestStopWhileOpening(t *testing.T) {
	var h held
	for field, set := range userCode(&h) {
		t.Run(field, func(t *testing.T) {
			trace := file(t)
			c := helper(t, "touch="+trace)
			ctx, cancel := context.WithCancel(t.Context())
			set(c, cancel)
			require.NoError(t, c.Serve(ctx))
			require.NoFileExists(t, trace)
			require.Zero(t, h.Load())
		})
	}
}
