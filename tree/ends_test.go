package tree_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	proto "github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

// endTable is how the end of a running child is read.
var endTable = []struct {
	name     string
	end      func() error
	class    actor.Class
	is       error // found in the event's error; nil: there is none
	restarts string
}{
	{"nil", func() error { return nil }, actor.ClassNormal, nil, "permanent"},
	{"ErrShutdown", func() error { return actor.ErrShutdown }, actor.ClassShutdown, actor.ErrShutdown, "permanent"},
	{"Shutdown(err)", func() error { return actor.Shutdown(errBoom) }, actor.ClassShutdown, errBoom, "permanent"},
	{"ErrShutdown wrapped", func() error { return fmt.Errorf("bye: %w", actor.ErrShutdown) }, actor.ClassShutdown, actor.ErrShutdown, "permanent"},
	{"error", func() error { return errBoom }, actor.ClassAbnormal, errBoom, "permanent transient"},
	{"errors joined", func() error { return errors.Join(errBoom, context.Canceled) }, actor.ClassAbnormal, errBoom, "permanent transient"},
	{"foreign context.Canceled", func() error { return context.Canceled }, actor.ClassAbnormal, context.Canceled, "permanent transient"},
	{"foreign deadline", func() error { return context.DeadlineExceeded }, actor.ClassAbnormal, context.DeadlineExceeded, "permanent transient"},
	{"panic with an error", func() error { panic(errBoom) }, actor.ClassAbnormal, errBoom, "permanent transient"},
	{"panic with ErrShutdown", func() error { panic(actor.ErrShutdown) }, actor.ClassAbnormal, actor.ErrShutdown, "permanent transient"},
	{"runtime.Goexit", func() error { runtime.Goexit(); return nil }, actor.ClassAbnormal, actor.ErrGoexit, "permanent transient"},
	{"panic in a Goexit", panicInGoexit, actor.ClassAbnormal, errBoom, "permanent transient"},
	{"RetryAfter", func() error { return actor.RetryAfter(time.Second, errBoom) }, actor.ClassAbnormal, errBoom, "permanent transient"},
	{"Escalate", func() error { return actor.Escalate(errBoom) }, actor.ClassAbnormal, errBoom, ""},
}

// panicInGoexit ends the goroutine, though who calls it can recover from the panic.
func panicInGoexit() error {
	defer func() { panic(errBoom) }()
	runtime.Goexit()
	return nil
}

func TestEndOfGoroutine(t *testing.T) {
	for _, tt := range endTable {
		for _, r := range []strategies.Restart{strategies.Permanent, strategies.Transient, strategies.Temporary} {
			t.Run(tt.name+"/"+r.String(), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					a := newPart()
					w := start(t, tree.Spec{Intensity: unlimited, Children: []tree.Child{{Name: "a", Service: a, Restart: r}}})
					w.news()
					sleep(time.Minute)
					a.run(tt.end)
					ended := w.news()[0]
					require.Equal(t, tree.ChildEnded, ended.Kind)
					require.Equal(t, tt.class, ended.Class)
					require.ErrorIs(t, ended.Err, tt.is)
					require.Equal(t, time.Minute, ended.Ran)
					require.Equal(t, 1, ended.Incarnation)

					sleep(time.Second)
					n, err := w.Snapshot(t.Context())
					require.NoError(t, err)
					running := len(n.Children) == 1 && n.Children[0].State == tree.Running
					require.Equal(t, strings.Contains(tt.restarts, r.String()), running)
				})
			})
		}
	}
}

// Whatever a child returns after it was asked to stop is a shutdown; only a panic
// and a Goexit are not.
func TestEndAfterStopWasAsked(t *testing.T) {
	for _, tt := range endTable {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				a := onStop(func(context.Context) error { return tt.end() })
				w := start(t, tree.Spec{Intensity: none, Children: kids(a)})
				w.news()
				require.NoError(t, w.TerminateChild(t.Context(), "root/a"))
				ended := w.news()[0]
				want := actor.ClassShutdown
				if strings.HasPrefix(tt.name, "panic") || tt.name == "runtime.Goexit" {
					want = actor.ClassAbnormal
				}
				require.Equal(t, tree.ChildEnded, ended.Kind)
				require.Equal(t, want, ended.Class)
				require.ErrorIs(t, ended.Err, tt.is)
				w.requireAlive()
			})
		})
	}
}

// endsReader is an error whose methods end the goroutine that calls them, or panic.
type endsReader struct{ how func() }

func (endsReader) Error() string   { return "ends its reader" }
func (e endsReader) Is(error) bool { e.how(); return false }

// Whatever the methods of an error do to who reads it, the child has ended, and is
// restarted.
func TestEndWithErrorThatEndsItsReader(t *testing.T) {
	for how, err := range map[string]error{
		"Goexit":            endsReader{runtime.Goexit},
		"wrapped Goexit":    fmt.Errorf("wrapped: %w", endsReader{runtime.Goexit}),
		"panic":             endsReader{func() { panic(errBoom) }},
		"panic in a Goexit": endsReader{func() { _ = panicInGoexit() }},
	} {
		t.Run(how, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				a, starts := newPart(), 0
				failingInit := tree.Init(func(context.Context) (tree.Spec, error) {
					if starts++; starts == 2 {
						return tree.Spec{}, err
					}
					return tree.Spec{Intensity: none, Children: kids(a)}, nil
				})
				w := start(t, tree.Spec{Intensity: unlimited, Children: []tree.Child{
					{Name: "init", Service: failingInit},
					{Name: "exits", Service: (&player{}).props()},
					{Name: "panics", Service: (&player{}).props()},
					{Name: "goes", Service: (&player{}).props()},
				}})
				w.news()
				a.end(err)
				require.Equal(t, "-init/a -init !init2 +init/a2 +init3", w.life())
				w.act("root/exits", func(c proto.Context) { actor.Exit(c, err) })
				require.Equal(t, "-exits +exits2", w.life())
				w.act("root/panics", func(proto.Context) { panic(err) })
				require.Equal(t, "-panics +panics2", w.life())
				w.act("root/goes", func(c proto.Context) { actor.Exit(c, err); runtime.Goexit() })
				require.Equal(t, "-goes +goes2", w.life())
				w.stop()
			})
		})
	}
}

// An end before ready is a failed start, but for ErrIgnore.
func TestEndBeforeReady(t *testing.T) {
	for _, tt := range endTable {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				a := onStart(func(context.Context, int) error {
					if err := tt.end(); err != nil {
						return err
					}
					return actor.ErrNotReady
				})
				w := record(t)
				_, err := w.runner().Start(t.Context(), tree.Spec{Children: []tree.Child{{Name: "a", Service: a, StartTimeout: time.Minute}}})
				require.Equal(t, "!a", w.life())
				require.ErrorIs(t, err, tree.ErrStartFailed)
				if tt.is != nil {
					require.ErrorIs(t, err, tt.is)
				}
			})
		})
	}
}

func TestEndBeforeReadyWithoutError(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, err := record(t).runner().Start(t.Context(), tree.Spec{Children: []tree.Child{
			{Name: "a", Service: actor.Func(func(context.Context) error { return nil }), StartTimeout: time.Minute},
		}})
		require.ErrorIs(t, err, actor.ErrNotReady)
	})
}

// ErrIgnore has a meaning before ready only.
func TestEndIgnoreAfterReady(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := onStart(func(ctx context.Context, _ int) error { actor.Ready(ctx); return nil })
		w := start(t, tree.Spec{Intensity: unlimited, Children: kids(announced{a})})
		w.news()
		a.end(actor.ErrIgnore)
		ended := w.news()[0]
		require.Equal(t, tree.ChildEnded, ended.Kind)
		require.Equal(t, actor.ClassAbnormal, ended.Class)
	})
}

// ErrIgnore on a restart: no retry, spec kept.
func TestEndIgnoreOnRestart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := onStart(func(ctx context.Context, n int) error {
			if n == 2 {
				return actor.ErrIgnore
			}
			actor.Ready(ctx)
			return nil
		})
		w := start(t, tree.Spec{Strategy: strategies.OneForAll, Children: kids(newPart(), announced{a}, newPart())})
		w.news()
		a.end(errBoom)
		require.Equal(t, "-b -c -a +a2 ~b2 +c2", w.life(), "the group goes on")
		require.Equal(t, "a running, b down, c running", w.states("root"))
		require.Equal(t, 1, w.node("root").Used)
	})
}

// A panic keeps its value, the whole stack, and what the value wraps up to Wait.
func TestEndPanicKeepsAll(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newPart()
		w := start(t, tree.Spec{Intensity: none, Children: kids(a)})
		a.run(explode)
		err := w.ended()
		require.ErrorIs(t, err, errBoom)
		var p *actor.PanicError
		require.ErrorAs(t, err, &p)
		require.Equal(t, errBoom, p.Value)
		require.Contains(t, string(p.Stack), "tree_test.explode")
		require.Contains(t, err.Error(), "panic: boom")
	})
}

func explode() error { panic(errBoom) }

// A child whose error cannot even be looked at is just another failure.
func TestEndErrorThatPanics(t *testing.T) {
	for _, err := range []error{hostile{}, &hostile{}, (*hostile)(nil), fmt.Errorf("wrapped: %w", hostile{})} {
		bubble(t, func(t *testing.T) {
			a := newPart()
			w := start(t, tree.Spec{Intensity: strategies.Intensity{Max: 1}, Children: kids(a)})
			a.end(err)
			w.requireAlive()
			require.NotEmpty(t, w.node("root").String())
			a.end(err)
			require.ErrorIs(t, w.ended(), tree.ErrGaveUp)
		})
	}
}

type hostile struct{}

func (hostile) Error() string { panic("in Error") }

func (hostile) Is(error) bool { panic("in Is") }

// A nil panic, an uncomparable value.
func TestEndOddPanics(t *testing.T) {
	for _, v := range []any{nil, []int{1}, map[string]int{}, func() {}, 42} {
		bubble(t, func(t *testing.T) {
			a := newPart()
			w := start(t, tree.Spec{Intensity: none, Children: kids(a)})
			a.run(func() error { panic(v) })
			var p *actor.PanicError
			require.ErrorAs(t, w.ended(), &p)
			if v != nil {
				require.IsType(t, v, p.Value)
			}
		})
	}
}

// Escalate: the supervisor stops its children and ends abnormally, one level up;
// there it is a failure like another.
func TestEndEscalate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		x := newPart()
		w := start(t, tree.Spec{Intensity: strategies.Intensity{Max: 1}, Children: []tree.Child{
			{Name: "sub", Restart: strategies.Transient, Service: tree.Spec{Intensity: unlimited, Children: []tree.Child{
				{Name: "x", Service: x, Restart: strategies.Temporary},
				{Name: "y", Service: newPart()},
			}}},
		}})
		w.news()
		x.end(actor.Escalate(errBoom))
		require.Equal(t, []string{
			"sub/x: child ended, abnormal: escalate: boom",
			"sub/x: gave up, by escalate: escalate: boom",
			"sub: supervisor ending, by escalate: escalate: boom",
			"sub/y: child ended, shutdown: context canceled",
			"sub: child ended, abnormal: root/sub gave up (escalate): root/sub/x: escalate: boom",
			"sub: restart planned, 1 of 1: root/sub gave up (escalate): root/sub/x: escalate: boom",
			"sub/x2: child started",
			"sub/y2: child started",
			"sub2: supervisor started",
			"sub2: child started",
		}, w.story())
		x.end(actor.Escalate(errBoom))
		require.ErrorIs(t, w.ended(), errBoom)
	})
}

// RetryAfter: the next start comes no sooner than asked for; a longer delay of
// the child's own stays.
func TestEndRetryAfter(t *testing.T) {
	for _, tt := range []struct{ own, asked, want time.Duration }{
		{0, time.Minute, time.Minute},
		{time.Second, time.Minute, time.Minute},
		{time.Hour, time.Minute, time.Hour},
		{0, -time.Minute, 0},
	} {
		bubble(t, func(t *testing.T) {
			a := newPart()
			w := start(t, tree.Spec{Children: []tree.Child{{Name: "a", Service: a, Policy: strategies.Policy{Delay: tt.own}}}})
			a.end(actor.RetryAfter(tt.asked, errBoom))
			for _, e := range w.news() {
				if e.Kind == tree.RestartPlanned {
					require.Equal(t, tt.want, e.Delay)
				}
			}
			sleep(tt.want)
			require.Equal(t, "a running", w.states("root"))
			require.Equal(t, 2, w.node("root/a").Incarnation)
		})
	}
}

// RetryAfter counts for a failed start too.
func TestEndRetryAfterBeforeReady(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := onStart(func(ctx context.Context, n int) error {
			if n == 2 {
				return actor.RetryAfter(time.Hour, errBoom)
			}
			actor.Ready(ctx)
			return nil
		})
		w := start(t, tree.Spec{Intensity: unlimited, Children: kids(announced{a})})
		a.end(errBoom)
		require.Equal(t, "a restarting", w.states("root"))
		sleep(time.Hour)
		require.Equal(t, "a running", w.states("root"))
	})
}
