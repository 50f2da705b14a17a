package proc_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/proc"
	"github.com/coppice-go/coppice/tree"
)

// A pipe that a stranger holds open, whom no stop reaches, holds up neither the
// stop nor the end, and what was written is there.
func TestPipeHeldOpen(t *testing.T) {
	for _, overflow := range []proc.Overflow{proc.Block, proc.Drop} {
		j := &journal{}
		gate := file(t)
		c := helper(t, "out=up", "until="+gate, "out=last words", "exit=3")
		c.Ready, c.Overflow, c.Logger = proc.LogLine("^up$"), overflow, j.logger()
		w := start(t, tree.Child{Name: "p", Service: c})
		hold := func(n int) {
			pid := w.node("p").PID
			f, err := os.OpenFile(fmt.Sprintf("/proc/%d/fd/1", pid), os.O_WRONLY, 0)
			require.NoError(t, err, "%d", n)
			t.Cleanup(func() { f.Close() })
		}
		hold(1)
		require.NoError(t, touch(gate))
		w.await(tree.ChildEnded, 1)
		require.Contains(t, j.lines("stdout"), "last words")
		w.stop()

		c = helper(t, "out=up", "wait")
		c.Ready, c.Overflow = proc.LogLine("^up$"), overflow
		w = start(t, tree.Child{Name: "p", Service: c})
		hold(2)
		w.stop()
		require.NoError(t, w.await(tree.ChildEnded, 1).Err)
	}
}
