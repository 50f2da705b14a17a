package strategies_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/strategies"
)

const tick = time.Millisecond // group restarts and delayed ones are not sooner

var (
	unlimited = strategies.Intensity{Max: strategies.Unlimited}
	exact     = strategies.Backoff{Initial: time.Second, Max: 5 * time.Second, Jitter: strategies.NoJitter}
)

func TestActorsOneForOne(t *testing.T) {
	bubble(t, &strategies.ActorStrategy{}, "a b c", func(g *grove) {
		g.tell("b", fail("x"))
		g.tell("b", note("kept"))
		assert.Equal(t, "+b b:kept", g.after(0), "at once, mailbox kept")
		assert.Empty(t, g.climbed)
	})
}

func TestActorsGroups(t *testing.T) {
	for _, tc := range []struct {
		s    strategies.Strategy
		want string
	}{
		{strategies.OneForAll, "+a +b +c +d"},
		{strategies.RestForOne, "+b +c +d"},
	} {
		t.Run(tc.s.String(), func(t *testing.T) {
			bubble(t, &strategies.ActorStrategy{Strategy: tc.s}, "a b c d", func(g *grove) {
				g.tell("b", fail("x"))
				assert.Empty(t, g.after(0))
				assert.ElementsMatch(t, strings.Fields(tc.want), strings.Fields(g.after(tick)))
				g.tell("a b c d", note("lives"))
				assert.Len(t, strings.Fields(g.after(0)), 4)
			})
		})
	}
}

// Restarts are asked for in start order.
func TestActorsGroupOrder(t *testing.T) {
	bubble(t, &strategies.ActorStrategy{Strategy: strategies.RestForOne, Intensity: unlimited}, "a b c d e", func(g *grove) {
		order := func() string {
			g.asked = nil
			g.tell("a", fail("x"))
			g.after(tick)
			return strings.Join(g.asked, " ")
		}
		assert.Equal(t, "a b c d e", order())
		g.ask(halt("b"))
		assert.Equal(t, "a c d e", order(), "protoactor has a e c d")
		g.ask(spawn("b"))
		g.ask(spawn("f"))
		assert.Equal(t, "a c d e b f", order())
	})
}

// A sibling is suspended while the group waits, and restarts with its messages.
func TestActorsSiblingsAreSuspended(t *testing.T) {
	bubble(t, &strategies.ActorStrategy{
		Strategy: strategies.OneForAll,
		Policy:   strategies.Policy{Delay: time.Second},
	}, "a b", func(g *grove) {
		g.tell("a", fail("x"))
		synctest.Wait()
		g.tell("b", note("1"))
		assert.Empty(t, g.after(time.Second-1))
		got := strings.Fields(g.after(1))
		assert.ElementsMatch(t, []string{"+a", "+b", "b:1"}, got)
	})
}

// Failures of the same moment are one: counted once, everybody restarted once.
func TestActorsBurst(t *testing.T) {
	const names = "a b c d e f g h"
	for _, s := range []strategies.Strategy{strategies.OneForAll, strategies.RestForOne} {
		t.Run(s.String(), func(t *testing.T) {
			bubble(t, &strategies.ActorStrategy{Strategy: s, Intensity: strategies.Intensity{Max: 8}}, names, func(g *grove) {
				g.tell(names, late(time.Second))
				got := strings.Fields(g.after(2 * time.Second))
				assert.ElementsMatch(t, []string{"+a", "+b", "+c", "+d", "+e", "+f", "+g", "+h"}, got)
				assert.Empty(t, g.climbed)
			})
		})
	}
	t.Run("counted once", func(t *testing.T) {
		bubble(t, &strategies.ActorStrategy{Strategy: strategies.OneForAll, Intensity: strategies.Intensity{Max: 1}}, names, func(g *grove) {
			g.tell(names, late(time.Second))
			assert.Len(t, strings.Fields(g.after(2*time.Second)), 8)
			assert.Empty(t, g.climbed)
			g.tell("c", fail("y"))
			g.after(time.Second)
			assert.Equal(t, []any{"y"}, g.climbed)
		})
	})
}

// A child that waits for its restart is not resumed by another failure of its own
// or of what it has spawned.
func TestActorsResumeWhileWaiting(t *testing.T) {
	a := delayed(strategies.OneForAll)
	a.Decide = func(reason any) actor.Directive {
		if reason == "late" {
			return actor.ResumeDirective
		}
		return actor.RestartDirective
	}
	bubble(t, a, "a b", func(g *grove) {
		g.tell("b", late(time.Second))
		g.tell("b", note("kept"))
		synctest.Wait()
		g.tell("a", fail("x"))
		assert.Empty(t, g.after(10*time.Second-1))
		assert.ElementsMatch(t, []string{"+a", "+b", "b:kept"}, strings.Fields(g.after(1)))
	})
}

// An earlier child fails while a later one waits: one restart, when the later is due.
func TestActorsOverlap(t *testing.T) {
	bubble(t, &strategies.ActorStrategy{
		Strategy: strategies.RestForOne, Intensity: unlimited,
		Policy: strategies.Policy{Backoff: exact},
	}, "a b c", func(g *grove) {
		g.tell("c", fail("x"))
		assert.Equal(t, "+c", g.after(time.Second))
		g.tell("c", fail("x")) // due after 2 s
		synctest.Wait()
		g.tell("b", fail("x")) // due after 1 s
		assert.Empty(t, g.after(2*time.Second-1))
		assert.ElementsMatch(t, []string{"+b", "+c"}, strings.Fields(g.after(1)))
		assert.Empty(t, g.after(time.Minute))
	})
}

func TestActorsBackoff(t *testing.T) {
	bubble(t, &strategies.ActorStrategy{Intensity: unlimited, Policy: strategies.Policy{Backoff: exact}}, "a b", func(g *grove) {
		for i, d := range []time.Duration{1, 2, 4, 5, 5} {
			g.tell("a", fail("x"))
			synctest.Wait()
			g.tell("a", note("kept"))
			assert.Empty(t, g.after(d*time.Second-1), "failure %d", i+1)
			assert.Equal(t, "+a a:kept", g.after(1), "failure %d", i+1)
		}
		g.after(5 * time.Second)
		g.tell("a", fail("x"))
		assert.Equal(t, "+a", g.after(time.Second), "it ran for Max: from the beginning")
		g.tell("b", fail("x"))
		assert.Equal(t, "+b", g.after(time.Second), "each child has its own")
	})
}

func TestActorsJitter(t *testing.T) {
	bubble(t, &strategies.ActorStrategy{
		Intensity: unlimited,
		Policy:    strategies.Policy{Backoff: strategies.Backoff{Initial: 10 * time.Second}},
	}, "a", func(g *grove) {
		g.tell("a", fail("x"))
		assert.Empty(t, g.after(8*time.Second-1))
		assert.Equal(t, "+a", g.after(2*time.Second+1))
	})
}

// The intensity is the supervisor's, whichever child fails.
func TestActorsIntensity(t *testing.T) {
	a := &strategies.ActorStrategy{Intensity: strategies.Intensity{Max: 2, Within: time.Minute}}
	bubble(t, a, "a b c", func(g *grove) {
		g.answer = actor.RestartDirective
		g.tell("a", fail("1"))
		g.tell("b", fail("2"))
		g.after(time.Second)
		assert.Empty(t, g.climbed)
		g.tell("c", fail("3"))
		g.after(time.Second)
		assert.Equal(t, []any{"3"}, g.climbed)

		g.tell("a b", fail("4"))
		assert.ElementsMatch(t, []string{"+a", "+b"}, strings.Fields(g.after(time.Second)), "the counts begin anew")
		assert.Len(t, g.climbed, 1)
		g.after(time.Minute)
		g.tell("a b", fail("5"))
		g.after(time.Second)
		assert.Len(t, g.climbed, 1, "the window has moved on")
	})
}

// However many fail at once, the parent hears of it once.
func TestActorsEscalateOnce(t *testing.T) {
	for name, a := range map[string]*strategies.ActorStrategy{
		"intensity": {Intensity: strategies.Intensity{Max: 0, Within: time.Minute}},
		"decide":    {Decide: func(any) actor.Directive { return actor.EscalateDirective }},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, a, "a b c d", func(g *grove) {
				g.answer = -1 // none
				g.tell("a b c d", late(time.Second))
				g.after(time.Second)
				assert.Len(t, g.climbed, 1)
				assert.Empty(t, g.take())
			})
		})
	}
}

// What waited for a restart when a failure was escalated no longer does.
func TestActorsEscalateEndsDelays(t *testing.T) {
	a := delayed(strategies.OneForOne)
	a.Intensity = strategies.Intensity{Max: 1}
	bubble(t, a, "a b", func(g *grove) {
		g.answer = -1 // none
		g.tell("a", fail("x"))
		g.after(time.Second)
		g.tell("b", fail("x"))
		assert.Empty(t, g.after(tick))
		_, kids, alarms := a.States()
		assert.Zero(t, kids)
		assert.Zero(t, alarms)
		assert.Empty(t, g.after(time.Minute))
	})
}

// A failure that comes with an escalated one is not answered by a restart.
func TestActorsEscalateTakesAlong(t *testing.T) {
	bubble(t, &strategies.ActorStrategy{Intensity: unlimited, Policy: strategies.Policy{MaxRestarts: 1}}, "a b", func(g *grove) {
		g.answer = -1 // none
		g.tell("a", fail("x"))
		assert.Equal(t, "+a", g.after(0))
		g.tell("b", late(time.Second+1))
		g.tell("a", late(time.Second))
		assert.Empty(t, g.after(time.Minute))
		assert.Equal(t, []any{"late"}, g.climbed)
	})
}

func TestActorsMaxRestarts(t *testing.T) {
	policy := strategies.Policy{MaxRestarts: 2}
	t.Run("end supervisor", func(t *testing.T) {
		bubble(t, &strategies.ActorStrategy{Intensity: unlimited, Policy: policy}, "a b", func(g *grove) {
			for range 2 {
				g.tell("a b", fail("x"))
				assert.Len(t, strings.Fields(g.after(time.Second)), 2)
			}
			assert.Empty(t, g.climbed)
			g.tell("a", fail("y"))
			assert.ElementsMatch(t, []string{"-a", "-b", "-sup"}, strings.Fields(g.after(time.Second)))
			assert.Equal(t, []any{"y"}, g.climbed)
		})
	})
	t.Run("stay down", func(t *testing.T) {
		policy.Exhausted = strategies.StayDown
		a := &strategies.ActorStrategy{Intensity: unlimited, Policy: policy}
		bubble(t, a, "a b", func(g *grove) {
			g.tell("a", fail("x"))
			g.tell("a", fail("x"))
			assert.Equal(t, "+a +a", g.after(time.Second))
			g.tell("a", fail("x"))
			assert.Equal(t, "-a", g.after(time.Second))
			assert.Empty(t, g.climbed)
			_, kids, _ := a.States()
			assert.Zero(t, kids, "what has stopped is forgotten")
		})
	})
}

func TestActorsDecide(t *testing.T) {
	a := &strategies.ActorStrategy{
		Strategy:  strategies.OneForAll,
		Intensity: strategies.Intensity{Max: 0, Within: time.Minute},
		Decide: func(reason any) actor.Directive {
			switch reason {
			case "resume":
				return actor.ResumeDirective
			case "stop":
				return actor.StopDirective
			case "escalate":
				return actor.EscalateDirective
			case "unknown":
				return 99
			}
			return actor.RestartDirective
		},
	}
	for _, tc := range []struct {
		reason  string
		want    []string
		climbed []any
	}{
		{"resume", []string{"b:next"}, nil},
		{"stop", []string{"-b"}, nil},
		{"escalate", []string{"-a", "-b", "-c", "-sup"}, []any{"escalate"}},
		{"unknown", []string{"-a", "-b", "-c", "-sup"}, []any{"unknown"}},
		{"restart", []string{"-a", "-b", "-c", "-sup"}, []any{"restart"}}, // none allowed
	} {
		t.Run(tc.reason, func(t *testing.T) {
			bubble(t, a, "a b c", func(g *grove) {
				g.tell("b", fail(tc.reason))
				g.tell("b", note("next"))
				assert.ElementsMatch(t, tc.want, strings.Fields(g.after(time.Second)))
				assert.Equal(t, tc.climbed, g.climbed)
			})
		})
	}
}

func TestActorsInvalid(t *testing.T) {
	for _, tc := range []struct {
		a    *strategies.ActorStrategy
		want string
	}{
		{&strategies.ActorStrategy{Strategy: 9}, "Strategy: unknown Strategy(9)"},
		{&strategies.ActorStrategy{Intensity: strategies.Intensity{Max: -2}}, "Intensity.Max: -2 is below -1 (Unlimited)"},
		{&strategies.ActorStrategy{Policy: strategies.Policy{Delay: -1}}, "Policy.Delay: -1ns is negative"},
	} {
		assert.EqualError(t, tc.a.Validate(), tc.want)
		bubble(t, tc.a, "a", func(g *grove) {
			g.tell("a", fail("x"))
			g.after(time.Second)
			require.Len(t, g.climbed, 1)
			err, _ := g.climbed[0].(error)
			assert.EqualError(t, err, "strategies: invalid ActorStrategy: "+tc.want+"; failure: x")
			assert.NotNil(t, errors.Unwrap(err))
		})
	}
	assert.NoError(t, new(strategies.ActorStrategy).Validate())
}

// A value that many supervisors share counts for each alone.
func TestActorsShared(t *testing.T) {
	a := &strategies.ActorStrategy{}
	bubble(t, a, "a", func(g *grove) {
		other := &grove{t: t, system: newSystem(), answer: actor.StopDirective}
		other.plant(a, "a")
		for _, each := range []*grove{g, other} {
			synctest.Wait()
			each.take()
			each.tell("a", fail("x"))
			assert.Equal(t, "+a", each.after(time.Second))
		}
		supervisors, _, _ := a.States()
		assert.Equal(t, 2, supervisors)
		other.finish()
		supervisors, _, _ = a.States()
		assert.Equal(t, 1, supervisors, "dropped with its supervisor")
		g.tell("a", fail("y"))
		g.after(time.Second)
		assert.Equal(t, []any{"y"}, g.climbed)
		assert.Empty(t, other.climbed)
	})
	supervisors, _, _ := a.States()
	assert.Zero(t, supervisors)
}

// 2 000 failures leave what one leaves.
func TestActorsBounded(t *testing.T) {
	for _, s := range []strategies.Strategy{strategies.OneForOne, strategies.OneForAll} {
		a := &strategies.ActorStrategy{Strategy: s, Intensity: strategies.Intensity{Max: 1 << 30}}
		bubble(t, a, "a b c", func(g *grove) {
			for range 2000 {
				g.tell("b", fail("x"))
				time.Sleep(tick)
			}
			synctest.Wait()
			supervisors, kids, alarms := a.States()
			assert.Equal(t, 1, supervisors)
			assert.LessOrEqual(t, kids, 3)
			assert.Zero(t, alarms)
			assert.Empty(t, g.climbed)
		})
	}
}

func TestActorsEvents(t *testing.T) {
	a := &strategies.ActorStrategy{Strategy: strategies.OneForAll, Decide: func(reason any) actor.Directive {
		if reason == "stop" {
			return actor.StopDirective
		}
		return actor.RestartDirective
	}}
	bubble(t, a, "a b", func(g *grove) {
		var got []actor.Directive
		g.system.EventStream.Subscribe(func(e any) {
			if e, ok := e.(*actor.SupervisorEvent); ok {
				got = append(got, e.Directive)
			}
		})
		g.tell("a b", late(time.Second))
		g.after(2 * time.Second)
		g.tell("a", fail("stop"))
		g.after(time.Second)
		assert.Equal(t, []actor.Directive{actor.RestartDirective, actor.RestartDirective, actor.StopDirective}, got)
	})
}
