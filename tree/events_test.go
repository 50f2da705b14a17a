package tree_test

import (
	"bytes"
	"context"
	"log/slog"
	"math"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/tree"
)

// collect empties the channel without waiting.
func collect(c <-chan tree.Event) (list []tree.Event, closed bool) {
	for {
		select {
		case e, ok := <-c:
			if !ok {
				return list, true
			}
			list = append(list, e)
		default:
			return list, false
		}
	}
}

// Events come in the order of Seq, without a hole, in order of time.
func TestSemantics33EventsInOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := newPart(), newPart()
		w := start(t, tree.Spec{Intensity: unlimited, Children: []tree.Child{
			{Name: "x", Service: tree.Spec{Intensity: unlimited, Children: kids(a)}},
			{Name: "y", Service: tree.Spec{Intensity: unlimited, Children: kids(b)}},
		}})
		for range 10 {
			go func() { a.do <- func() error { return errBoom } }()
			b.end(errBoom)
		}
		w.stop()
		events := w.news()
		require.NotEmpty(t, events)
		for i, e := range events {
			require.Equal(t, uint64(i+1), e.Seq)
			require.False(t, i > 0 && e.Time.Before(events[i-1].Time))
		}
		require.Equal(t, tree.ChildEnded, events[len(events)-1].Kind)
	})
}

// All that an event says of a failure.
func TestSemantics33EventFields(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newPart()
		w := start(t, tree.Spec{Children: kids(a)})
		w.news()
		sleep(3 * time.Second)
		a.end(errBoom)
		list := w.news()
		require.Len(t, list, 4)
		ended, planned, started := list[0], list[1], list[3]
		require.Equal(t, "root/a", ended.Path)
		require.Equal(t, 1, ended.Incarnation)
		require.Equal(t, 3*time.Second, ended.Ran)
		require.Equal(t, errBoom, ended.Err)
		require.Equal(t, []any{1, 1, 5 * time.Second, tree.RuleIntensity}, []any{planned.Used, planned.Max, planned.Within, planned.Rule})
		require.Equal(t, 2, started.Incarnation)
	})
}

func TestSubscribe(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newPart()
		w := start(t, tree.Spec{Intensity: unlimited, Children: kids(a)})
		all, few, zero, gone := w.Subscribe(100), w.Subscribe(2), w.Subscribe(-1), w.Subscribe(10)
		gone.Close()
		gone.Close()
		_, closed := collect(gone.C)
		require.True(t, closed)

		require.Equal(t, uint64(3), all.After)
		a.end(errBoom)
		list, closed := collect(all.C)
		require.Len(t, list, 4, "what was before is not told")
		require.False(t, closed)
		require.Zero(t, all.Dropped())
		require.Equal(t, uint64(2), few.Dropped())
		require.Equal(t, uint64(3), zero.Dropped(), "room for one at least")
		large := w.Subscribe(math.MaxInt)
		require.Equal(t, tree.MaxEventBuffer, cap(large.C))
		large.Close()

		w.stop()
		list, closed = collect(all.C)
		require.True(t, closed, "after the last")
		require.Equal(t, tree.ChildEnded, list[len(list)-1].Kind)
		list, closed = collect(few.C)
		require.True(t, closed)
		require.Equal(t, []tree.EventKind{tree.ChildEnded, tree.RestartPlanned}, []tree.EventKind{list[0].Kind, list[1].Kind})
		all.Close()

		_, closed = collect(w.Subscribe(1).C)
		require.True(t, closed, "the tree has ended")
	})
}

// A subscription closed in the middle of the flow.
func TestSubscribeCloseAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newPart()
		w := start(t, tree.Spec{Intensity: unlimited, Children: kids(a)})
		for range 50 {
			s := w.Subscribe(1)
			go func() {
				for range s.C {
					s.Close()
				}
			}()
			a.do <- func() error { return errBoom }
		}
		synctest.Wait()
	})
}

// An observer that panics is told about and called again.
func TestObserverPanics(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var log bytes.Buffer
		calls := 0
		r := tree.Runner{
			Logger:  slog.New(slog.NewTextHandler(&log, nil)),
			OnEvent: func(tree.Event) { calls++; panic("observer") },
		}
		tr, err := r.Start(t.Context(), tree.Spec{Children: kids(newPart())})
		require.NoError(t, err)
		_, err = tr.Stop(t.Context())
		require.NoError(t, err)
		require.Equal(t, 5, calls)
		require.Contains(t, log.String(), `level=ERROR msg="observer panicked" tree=root observer=OnEvent panic=observer`)
	})
}

// An observer that ends its goroutine is called again in another one; so is a
// logger, which can tell nobody.
func TestObserverGoexits(t *testing.T) {
	for _, buffer := range []int{0, 1} {
		bubble(t, func(t *testing.T) {
			var log bytes.Buffer
			calls := 0
			r := tree.Runner{
				Logger:      slog.New(slog.NewTextHandler(&log, nil)),
				EventBuffer: buffer,
				OnEvent:     func(tree.Event) { calls++; time.Sleep(time.Second); runtime.Goexit() },
			}
			tr, err := r.Start(t.Context(), tree.Spec{Children: kids(newPart())})
			require.NoError(t, err)
			sleep(time.Minute)
			_, err = tr.Stop(t.Context())
			require.NoError(t, err)
			sleep(time.Minute)
			require.Equal(t, calls, strings.Count(log.String(), `level=ERROR msg="observer called runtime.Goexit" tree=root observer=OnEvent`))
			if buffer == 0 {
				require.Equal(t, 5, calls)
			} else {
				require.Less(t, calls, 5)
				require.Contains(t, log.String(), `level=WARN msg="events lost" tree=root by=OnEvent lost=`)
			}
		})
	}
	bubble(t, func(t *testing.T) {
		calls := 0
		handle := func() { calls++; runtime.Goexit() }
		tr, err := tree.Runner{Logger: slog.New(brokenHandler{handle})}.Start(t.Context(), tree.Spec{Children: kids(newPart())})
		require.NoError(t, err)
		_, err = tr.Stop(t.Context())
		require.NoError(t, err)
		require.Equal(t, 10, calls, "for each event, and to tell of that")
	})
}

// An observer that blocks loses events, and holds up neither the tree nor, for
// long, its end.
func TestObserverBlocks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		release := make(chan struct{})
		var log bytes.Buffer
		r := tree.Runner{
			Logger:      slog.New(slog.NewTextHandler(&log, nil)),
			EventBuffer: 1,
			OnEvent:     func(tree.Event) { <-release },
		}
		a := newPart()
		tr, err := r.Start(t.Context(), tree.Spec{Intensity: unlimited, Children: kids(a)})
		require.NoError(t, err)
		for range 100 {
			a.end(errBoom)
		}
		n, err := tr.Find(t.Context(), "root/a")
		require.NoError(t, err)
		require.Equal(t, 101, n.Incarnation)
		at := time.Now()
		_, err = tr.Stop(t.Context())
		require.NoError(t, err)
		require.Equal(t, time.Second, time.Since(at))
		close(release)
		synctest.Wait()
		require.Contains(t, log.String(), `level=WARN msg="events lost" tree=root by=OnEvent lost=`)
	})
}

// An observer may use the tree, even end it.
func TestObserverUsesTheTree(t *testing.T) {
	bubble(t, func(t *testing.T) {
		trees := make(chan *tree.Tree, 1)
		var tr *tree.Tree
		r := tree.Runner{Logger: slog.New(slog.DiscardHandler), OnEvent: func(e tree.Event) {
			if tr == nil {
				tr = <-trees
			}
			ctx := context.Background()
			_, err := tr.Snapshot(ctx)
			require.NoError(t, err)
			switch {
			case e.Kind == tree.SupervisorStarted:
				require.NoError(t, tr.StartChild(ctx, "root", tree.Child{Name: "b", Service: newPart()}))
			case e.Kind == tree.ChildStarted && e.Path == "root/b":
				require.NoError(t, tr.TerminateChild(ctx, "root/a"))
			case e.Kind == tree.ChildEnded && e.Path == "root/a":
				go func() { _, _ = tr.Stop(ctx) }()
			}
		}}
		started, err := r.Start(t.Context(), tree.Spec{Children: kids(newPart())})
		require.NoError(t, err)
		trees <- started
		require.NoError(t, started.Wait(t.Context()))
	})
}

// Stop called by the observer itself waits for the observer: it is bounded.
func TestObserverStops(t *testing.T) {
	bubble(t, func(t *testing.T) {
		trees := make(chan *tree.Tree, 1)
		stopped := make(chan error, 1)
		r := tree.Runner{Logger: slog.New(slog.DiscardHandler), OnEvent: func(e tree.Event) {
			if e.Kind == tree.SupervisorStarted {
				tr := <-trees
				_, err := tr.Stop(context.Background())
				stopped <- err
			}
		}}
		started, err := r.Start(t.Context(), tree.Spec{Children: kids(newPart())})
		require.NoError(t, err)
		trees <- started
		require.NoError(t, started.Wait(t.Context()))
		require.NoError(t, <-stopped)
	})
}

func TestEventNames(t *testing.T) {
	for value, want := range map[interface{ MarshalText() ([]byte, error) }]string{
		tree.ChildStarting: "child starting", tree.RequestDone: "request done", tree.EventKind(99): "EventKind(99)",
		tree.RuleIntensity: "intensity", tree.RuleAutoShutdown: "auto-shutdown", tree.Rule(0): "", tree.Rule(99): "Rule(99)",
		tree.Down: "down", tree.Ended: "ended", tree.State(99): "State(99)",
	} {
		text, err := value.MarshalText()
		require.NoError(t, err)
		require.Equal(t, want, string(text))
	}
}
