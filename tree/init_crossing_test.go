package tree

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

// An Init that has returned when its supervisor is to end at once is not given up: its
// end is on its way already.
func TestInitThatHasReturnedIsNotGivenUp(t *testing.T) {
	maker := Init(func(context.Context) (Spec, error) { return Spec{}, nil })
	s := newSupervisor(Runner{}.newTree(t.Context()), nil, "root", &Spec{Children: []Child{{Name: "a", Service: maker}}}, nil, nil)
	k := s.childOf(s.m.Slot("a"))
	i := newIncarnation(k, 1)
	k.cur.Store(i)
	require.NoError(t, i.serveInit())
	i.end(nil)
	require.Equal(t, 1, s.box.UserMessageCount())
	k.kill()
	require.True(t, s.inputs.fed.empty())
	require.False(t, i.gaveUp())

	i = newIncarnation(k, 2)
	k.cur.Store(i)
	k.kill()
	require.ErrorIs(t, s.inputs.fed.pop().End.Err, ErrStuck)
	i.end(nil)
	require.Equal(t, 1, s.box.UserMessageCount(), "what it would have become is not of interest any more")
}
