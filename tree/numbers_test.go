package tree_test

import (
	"context"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

// once requires that no path and incarnation are told to have started twice.
func (w *world) once() {
	w.t.Helper()
	seen := map[string]bool{}
	for _, e := range w.news() {
		if e.Kind == tree.ChildStarting {
			run := e.Path + " #" + strconv.Itoa(e.Incarnation)
			require.False(w.t, seen[run], run)
			seen[run] = true
		}
	}
	w.seen = 0
}

// A path and an incarnation name one run, however the child has gone and come.
func TestNumbersGoOn(t *testing.T) {
	fleeting := actor.Func(func(context.Context) error { return nil })
	for name, again := range map[string]func(w *world){
		"deleted": func(w *world) {
			require.NoError(w.t, w.TerminateChild(w.t.Context(), "root/x"))
			require.NoError(w.t, w.DeleteChild(w.t.Context(), "root/x"))
		},
		"temporary": func(w *world) {
			for range 3 {
				require.NoError(w.t, w.StartChild(w.t.Context(), "root", tree.Child{Name: "y", Service: fleeting, Restart: strategies.Temporary}))
				sleep(1)
			}
		},
		"start failed": func(w *world) {
			for range 3 {
				fails := tree.Child{Name: "y", Service: announced{onStart(func(context.Context, int) error { return errBoom })}}
				require.ErrorIs(w.t, w.StartChild(w.t.Context(), "root", fails), errBoom)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := start(t, tree.Spec{Intensity: unlimited})
				x := func() tree.Child {
					return tree.Child{Name: "x", Service: tree.Spec{Children: []tree.Child{
						{Name: "sub", Service: tree.Spec{Children: kids(newPart(), (&player{}).props())}},
						{Name: "pool", Service: tree.Spec{Template: &tree.Template{Child: tree.Child{Service: newPart()}}}},
					}}}
				}
				for range 3 {
					if w.PID("root/x") == nil {
						require.NoError(t, w.StartChild(t.Context(), "root", x()))
					}
					_, err := w.StartInstance(t.Context(), "root/x/pool", nil)
					require.NoError(t, err)
					again(w)
				}
				w.once()
			})
		})
	}
}

// The same for a child that a supervisor above has left out for a while.
func TestNumbersOfAChildLeftOut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := 0
		a, b := newPart(), newPart()
		w := start(t, tree.Spec{Intensity: unlimited, Children: []tree.Child{sub(func(_ context.Context, _ int) (tree.Spec, error) {
			n++
			list := kids(a, b, tree.Spec{Children: kids(newPart())})
			if n == 2 {
				list = list[:1]
			}
			return tree.Spec{Intensity: none, Children: list}, nil
		})}})
		a.end(errBoom)
		require.NoError(t, w.StartChild(t.Context(), "root/sub", tree.Child{Name: "x", Service: newPart()}))
		a.end(errBoom)
		require.NoError(t, w.StartChild(t.Context(), "root/sub", tree.Child{Name: "x", Service: newPart()}))
		require.Equal(t, 3, w.node("root/sub/a").Incarnation)
		require.Equal(t, 2, w.node("root/sub/b").Incarnation)
		require.Equal(t, 2, w.node("root/sub/c/a").Incarnation)
		require.Equal(t, 2, w.node("root/sub/x").Incarnation)
		w.once()
	})
}

// talker is asked once what it is, wherever in the tree, and may do what it likes then.
type talker struct {
	*part
	asked *int
	do    func()
}

func (s talker) Kind() string {
	if *s.asked++; s.do != nil {
		s.do()
	}
	return "talker"
}

// A supervisor that is started again asks nobody what he is.
func TestKindIsAskedOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		asked := 0
		s, b := talker{part: newPart(), asked: &asked}, newPart()
		w := start(t, tree.Spec{Intensity: unlimited, Children: []tree.Child{{Name: "sub", Service: tree.Spec{Intensity: none, Children: []tree.Child{
			{Name: "b", Service: b}, {Name: "below", Service: &tree.Spec{Children: kids(s)}},
		}}}}})
		for range 3 {
			b.end(errBoom)
			s.end(errBoom)
		}
		require.Equal(t, 1, asked)
		require.Equal(t, "talker", w.node("root/sub/below/a").Kind)
	})
}

// What the answer does is the business of who asks: the caller, or an Init.
func TestKindThatDoesNotReturn(t *testing.T) {
	gate := make(chan struct{})
	for name, do := range map[string]func(){"goexit": runtime.Goexit, "block": func() { <-gate }} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				gate = make(chan struct{})
				asked := 0
				s := talker{newPart(), &asked, do}
				w := start(t, tree.Spec{})
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				_ = later(func() error { return w.StartChild(ctx, "root", tree.Child{Name: "a", Service: s}) })
				err := w.StartChild(ctx, "root", sub(func(context.Context, int) (tree.Spec, error) {
					return tree.Spec{Children: kids(s)}, nil
				}))
				if name == "goexit" {
					require.ErrorIs(t, err, actor.ErrGoexit)
				} else {
					require.ErrorIs(t, err, context.DeadlineExceeded)
				}
				_, err = w.Stop(t.Context())
				require.Equal(t, name == "block", err != nil)
				close(gate)
			})
		})
	}
}
