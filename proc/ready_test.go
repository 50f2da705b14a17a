package proc_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/proc"
	"github.com/coppice-go/coppice/tree"
)

func TestReadyByALine(t *testing.T) {
	for name, steps := range map[string][]string{
		"stdout":      {"out=listening on :80", "wait"},
		"stderr":      {"err=listening on :80", "wait"},
		"after much":  {"lines=2000", "out=listening on :80", "wait"},
		"in pieces":   {"raw=list", "raw=ening on", `raw= :80\n`, "wait"},
		"CRLF":        {`raw=listening on :80\r\n`, "wait"},
		"end of line": {"raw=listening on :80", "exit=0"},
	} {
		t.Run(name, func(t *testing.T) {
			c := helper(t, steps...)
			c.Ready = proc.LogLine(`^listening on :\d+$`)
			w := record(t)
			tr, err := w.runner().Start(context.Background(), tree.Spec{Children: []tree.Child{
				{Name: "p", Service: c, Policy: slow},
			}})
			require.NoError(t, err)
			_, err = tr.Stop(context.Background())
			require.NoError(t, err)
		})
	}
}

// The next child waits for it.
func TestNextChildWaitsForReady(t *testing.T) {
	gate := file(t)
	c := helper(t, "until="+gate, "out=ready", "wait")
	c.Ready = proc.LogLine("ready")
	opener := actor.Func(func(ctx context.Context) error {
		if err := touch(gate); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	})
	w := start(t, tree.Child{Name: "opener", Service: opener}, tree.Child{Name: "p", Service: c}, tree.Child{Name: "q", Service: helper(t, "wait")})
	started := w.await(tree.ChildStarted, 3)
	require.Equal(t, "root/q", started.Path)
	require.Equal(t, "root/p", w.await(tree.ChildStarted, 2).Path)
}

func TestReadyWithAWriter(t *testing.T) {
	c := helper(t, "out=ready", "wait")
	c.Ready, c.Stdout = proc.LogLine("^ready$"), writerFunc(func(b []byte) (int, error) { return len(b), nil })
	start(t, tree.Child{Name: "p", Service: c}).stop()
}

// The line counts even if it is read after the process has ended, which is a
// matter of luck, so it is tried often.
func TestReadyIsTheLastThingItSaid(t *testing.T) {
	c := helper(t, "out=ready", "exit=3")
	c.Ready = proc.LogLine("ready")
	for range 50 {
		e := serve(t, c).exited()
		require.False(t, e.BeforeReady)
	}
}

func TestEndBeforeReadyIsAFailedStart(t *testing.T) {
	for _, code := range []int{0, 3} {
		c := helper(t, "err=no licence", is("exit", code))
		c.Ready = proc.LogLine("ready")
		_, err := tryStart(t, tree.Spec{Children: []tree.Child{{Name: "p", Service: c}}})
		require.ErrorIs(t, err, tree.ErrStartFailed)
		var e *proc.ExitError
		require.ErrorAs(t, err, &e)
		require.True(t, e.BeforeReady)
		require.Equal(t, code, e.Code)
		require.ErrorContains(t, err, "before it was ready: no licence")
	}
}

func TestNotReadyInTime(t *testing.T) {
	c := helper(t, "out=thinking", "wait")
	c.Ready = proc.LogLine("ready")
	_, err := tryStart(t, tree.Spec{Children: []tree.Child{{Name: "p", Service: c, StartTimeout: 50 * time.Millisecond}}})
	require.ErrorIs(t, err, tree.ErrStartFailed)
	require.ErrorIs(t, err, actor.ErrStartTimeout)
}

func TestStopWhileWaitingForReady(t *testing.T) {
	j := &journal{}
	c := helper(t, "out=thinking", "wait")
	c.Ready, c.Logger = proc.LogLine("ready"), j.logger()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	w := record(t)
	done := make(chan error, 1)
	go func() { done <- w.runner().Run(ctx, tree.Spec{Children: []tree.Child{{Name: "p", Service: c}}}) }()
	j.await(t, "thinking")
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	require.Empty(t, w.have(tree.ChildStarted))
}
