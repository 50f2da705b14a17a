package tree_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

// delays makes a fail n times, each time as soon as it has been up for ran, and
// returns what was waited before each restart.
func (w *world) delays(a *part, n int, ran time.Duration) []time.Duration {
	w.t.Helper()
	var list []time.Duration
	for range n {
		sleep(ran)
		a.end(errBoom)
		for _, e := range w.news() {
			if e.Kind == tree.RestartPlanned {
				list = append(list, e.Delay)
				sleep(e.Delay - time.Nanosecond)
				require.Equal(w.t, tree.Restarting, w.node("root/a").State, "not before")
				sleep(time.Nanosecond)
			}
		}
		require.Equal(w.t, tree.Running, w.node("root/a").State)
	}
	return list
}

func only(a *part, p strategies.Policy) tree.Spec {
	return tree.Spec{Intensity: unlimited, Children: []tree.Child{{Name: "a", Service: a, Policy: p}}}
}

func TestPolicyDelay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newPart()
		w := start(t, only(a, strategies.Policy{Delay: time.Second}))
		require.Equal(t, []time.Duration{time.Second, time.Second, time.Second}, w.delays(a, 3, 0))
	})
}

func TestPolicyBackoff(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newPart()
		w := start(t, only(a, strategies.Policy{Backoff: strategies.Backoff{Initial: time.Second, Max: 5 * time.Second, Jitter: strategies.NoJitter}}))
		s := time.Second
		require.Equal(t, []time.Duration{s, 2 * s, 4 * s, 5 * s, 5 * s}, w.delays(a, 5, 0))
		require.Equal(t, []time.Duration{5 * s}, w.delays(a, 1, 5*s-1), "a run shorter than Max is no healthy one")
		require.Equal(t, []time.Duration{s}, w.delays(a, 1, 5*s), "a healthy run resets it")
	})
}

func TestPolicyBackoffJitter(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newPart()
		w := start(t, only(a, strategies.Policy{Backoff: strategies.Backoff{Initial: time.Hour, Max: time.Hour, Jitter: 0.5}}))
		differ := map[time.Duration]bool{}
		for _, d := range w.delays(a, 20, 0) {
			require.Positive(t, d)
			require.LessOrEqual(t, d, time.Hour)
			require.GreaterOrEqual(t, d, 30*time.Minute)
			differ[d] = true
		}
		require.Greater(t, len(differ), 10)
	})
}

// The failures of starts in a row count for the backoff too.
func TestPolicyBackoffOfFailedStarts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := onStart(func(ctx context.Context, n int) error {
			if n > 1 && n < 5 {
				return errBoom
			}
			actor.Ready(ctx)
			return nil
		})
		spec := only(a, strategies.Policy{Backoff: strategies.Backoff{Initial: time.Second, Jitter: strategies.NoJitter}})
		spec.Children[0].Service = announced{a}
		w := start(t, spec)
		a.end(errBoom)
		sleep(time.Minute)
		require.Equal(t, []string{
			"a: child started", "root: supervisor started",
			"a: child ended, abnormal: boom", "a: restart planned, 1 of -1, in 1s: boom",
			"a2: start failed: boom", "a2: restart planned, 2 of -1, in 2s: boom",
			"a3: start failed: boom", "a3: restart planned, 3 of -1, in 4s: boom",
			"a4: start failed: boom", "a4: restart planned, 4 of -1, in 8s: boom",
			"a5: child started",
		}, w.story())
	})
}

// A child's own limit: its supervisor ends, however much the intensity allows.
func TestPolicyMaxRestarts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newPart()
		w := start(t, only(a, strategies.Policy{MaxRestarts: 2}))
		a.end(errBoom)
		sleep(24 * time.Hour)
		a.end(errBoom)
		w.requireAlive()
		sleep(24 * time.Hour)
		w.news()
		a.end(errBoom)
		err := w.ended()
		require.ErrorIs(t, err, tree.ErrGaveUp)
		require.ErrorIs(t, err, errBoom)
		var gave *tree.GaveUpError
		require.ErrorAs(t, err, &gave)
		require.Equal(t, "root/a", gave.Child)
		require.Equal(t, tree.RuleMaxRestarts, gave.Rule)
		require.Contains(t, w.story(), "a3: gave up, by max restarts: boom")
	})
}

// Or the child stays down, and all else lives; a request starts it again, with its
// count at zero.
func TestPolicyMaxRestartsStayDown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newPart()
		spec := only(a, strategies.Policy{MaxRestarts: 1, Exhausted: strategies.StayDown})
		spec.Strategy = strategies.OneForAll
		spec.Children = append(spec.Children, tree.Child{Name: "b", Service: newPart()})
		w := start(t, spec)
		a.end(errBoom)
		w.news()
		a.end(errBoom)
		require.Equal(t, "-a2", w.life(), "no sibling is touched")
		require.Equal(t, "a down, b running", w.states("root"))
		n := w.node("root/a")
		require.ErrorIs(t, n.LastError, errBoom)
		require.Equal(t, 1, n.Restarts)

		require.NoError(t, w.RestartChild(t.Context(), "root/a"))
		require.Zero(t, w.node("root/a").Restarts)
		a.end(errBoom)
		require.Equal(t, "a running, b running", w.states("root"), "it has its restart again")
		a.end(errBoom)
		require.Equal(t, "a down, b running", w.states("root"))
	})
}

// A long run gives the restarts back.
func TestPolicyResetAfter(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newPart()
		w := start(t, only(a, strategies.Policy{MaxRestarts: 1, Exhausted: strategies.StayDown, ResetAfter: time.Minute}))
		for range 5 {
			a.end(errBoom)
			require.Equal(t, "a running", w.states("root"))
			sleep(time.Minute)
		}
		a.end(errBoom)
		sleep(time.Minute - 1)
		a.end(errBoom)
		require.Equal(t, "a down", w.states("root"))
	})
}

// A child that takes its siblings along stops them at once and starts all after
// its own delay; only it has used up a restart of its own.
func TestPolicyInGroup(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := newPart(), newPart()
		w := start(t, tree.Spec{Strategy: strategies.OneForAll, Intensity: unlimited, Children: []tree.Child{
			{Name: "a", Service: a, Policy: strategies.Policy{Delay: time.Minute, MaxRestarts: 1}},
			{Name: "b", Service: b, Policy: strategies.Policy{MaxRestarts: 1}},
		}})
		w.news()
		a.end(errBoom)
		require.Equal(t, "-a -b", w.life())
		sleep(time.Minute)
		require.Equal(t, "+a2 +b2", w.life())
		b.end(errBoom)
		w.requireAlive()
		b.end(errBoom)
		require.ErrorIs(t, w.ended(), errBoom)
	})
}
