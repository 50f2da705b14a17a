package tree_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/tree"
)

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
