package tree_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

// program runs spec as Main does. The signals reach it, and its exit code comes
// through the channel.
func program(t *testing.T, spec tree.Spec) (signals chan<- os.Signal, code <-chan int, log *bytes.Buffer) {
	t.Helper()
	log = new(bytes.Buffer)
	in := make(chan os.Signal, 2)
	r := tree.Runner{Logger: slog.New(slog.NewTextHandler(log, nil))}
	return in, later(func() int { return r.MainSignals(spec, in) }), log
}

func TestMainSignalStopsInOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		slow := onStop(func(context.Context) error { time.Sleep(3 * time.Second); return nil })
		signals, code, log := program(t, tree.Spec{Children: kids(slow)})
		require.True(t, pending(code))
		signals <- syscall.SIGTERM
		require.True(t, pending(code))
		require.Equal(t, tree.ExitOK, <-code)
		require.Contains(t, log.String(), "stopping in order; a second signal forces it")
	})
}

func TestMainSecondSignalForces(t *testing.T) {
	bubble(t, func(t *testing.T) {
		at := time.Now()
		hangs := onStop(func(context.Context) error { time.Sleep(time.Hour); return nil })
		signals, code, log := program(t, tree.Spec{Name: "shop", Children: []tree.Child{{Name: "a", Service: hangs, Shutdown: tree.Infinity}}})
		signals <- os.Interrupt
		sleep(time.Second)
		signals <- os.Interrupt
		signals <- os.Interrupt
		require.Equal(t, tree.ExitStuck, <-code)
		require.Equal(t, 2200*time.Millisecond, time.Since(at), "a forced stop gives everything one last moment")
		require.Contains(t, log.String(), `level=ERROR msg="still running at the end" path=shop/a incarnation=1 stack=`)
		require.Contains(t, log.String(), "TestMainSecondSignalForces")
		time.Sleep(time.Hour)
	})
}

// Stuck children are told though nobody lost patience.
func TestMainStuck(t *testing.T) {
	bubble(t, func(t *testing.T) {
		hangs := onStop(func(context.Context) error { time.Sleep(time.Hour); return nil })
		signals, code, _ := program(t, tree.Spec{Children: kids(hangs)})
		signals <- os.Interrupt
		require.Equal(t, tree.ExitStuck, <-code)
		time.Sleep(time.Hour)
	})
}

func TestMainFailures(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, code, log := program(t, tree.Spec{Children: kids(nil)})
		require.Equal(t, tree.ExitFailure, <-code)
		require.Contains(t, log.String(), `level=ERROR msg="not started" error="invalid spec: root/a: Service: nil"`)

		fails := announced{onStart(func(context.Context, int) error { return errBoom })}
		_, code, log = program(t, tree.Spec{Children: kids(fails)})
		require.Equal(t, tree.ExitFailure, <-code)
		require.Contains(t, log.String(), `level=ERROR msg=failed error="start root/a: boom"`)

		a := newPart()
		_, code, log = program(t, tree.Spec{Intensity: none, Children: kids(a)})
		a.end(errBoom)
		require.Equal(t, tree.ExitFailure, <-code)
		require.Contains(t, log.String(), `level=ERROR msg=failed error="root gave up (more restarts than 0 in 1s): root/a: boom"`)
	})
}

// A tree that has done its work is a success.
func TestMainDone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newPart()
		_, code, _ := program(t, tree.Spec{AutoShutdown: tree.AnySignificant, Children: []tree.Child{
			{Name: "a", Service: a, Restart: strategies.Transient, Significant: true},
		}})
		require.True(t, pending(code))
		a.end(nil)
		require.Equal(t, tree.ExitOK, <-code)
	})
}

func TestMainSignalWhileStarting(t *testing.T) {
	bubble(t, func(t *testing.T) {
		signals, code, _ := program(t, tree.Spec{Children: kids(announced{newPart()})})
		require.True(t, pending(code))
		signals <- syscall.SIGTERM
		require.Equal(t, tree.ExitOK, <-code)
	})
}

// What has not started has failed, also if a signal comes before all is stopped.
func TestMainSignalAfterFailedStart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		slow := onStop(func(context.Context) error { time.Sleep(time.Second); return nil })
		fails := announced{onStart(func(context.Context, int) error { return errBoom })}
		signals, code, log := program(t, tree.Spec{Children: kids(slow, fails)})
		require.True(t, pending(code))
		signals <- syscall.SIGTERM
		require.Equal(t, tree.ExitFailure, <-code)
		require.Contains(t, log.String(), `level=ERROR msg=failed error="start root/b: boom"`)
	})
}

// Main itself, with a real signal.
func TestMainRealSignal(t *testing.T) {
	up := func(ctx context.Context) error {
		p, err := os.FindProcess(os.Getpid())
		if err == nil {
			err = p.Signal(os.Interrupt)
		}
		if err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	}
	code := tree.Runner{Logger: slog.New(slog.DiscardHandler)}.Main(tree.Spec{Children: []tree.Child{{Name: "a", Service: tree.Spec{Children: []tree.Child{{Name: "b", Service: actor.Func(up)}}}}}})
	require.Equal(t, tree.ExitOK, code)
}
