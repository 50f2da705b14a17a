package strategies_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/assert"

	"github.com/coppice-go/coppice/strategies"
)

func delayed(s strategies.Strategy) *strategies.ActorStrategy {
	return &strategies.ActorStrategy{Strategy: s, Intensity: unlimited, Policy: strategies.Policy{Delay: 10 * time.Second}}
}

// A child that was stopped during its delay stays stopped.
func TestActorsStoppedDuringDelay(t *testing.T) {
	a := delayed(strategies.OneForOne)
	bubble(t, a, "a b", func(g *grove) {
		g.tell("a", fail("x"))
		g.after(5 * time.Second)
		g.ask(halt("a"))
		assert.Equal(t, "-a", g.take())
		_, kids, alarms := a.States()
		assert.Zero(t, kids)
		assert.Zero(t, alarms)
		assert.Empty(t, g.after(time.Minute))
	})
}

// A newer actor of the same name is not restarted for the older one.
func TestActorsReplacedDuringDelay(t *testing.T) {
	for _, s := range []strategies.Strategy{strategies.OneForOne, strategies.OneForAll} {
		bubble(t, delayed(s), "a b", func(g *grove) {
			g.tell("a", fail("x"))
			g.after(5 * time.Second)
			g.ask(halt("a"))
			g.ask(spawn("a"))
			assert.Equal(t, "-a +a", g.take())
			if s == strategies.OneForAll {
				assert.Equal(t, "+b", g.after(time.Minute), "the rest of the group is")
			} else {
				assert.Empty(t, g.after(time.Minute))
			}
			g.tell("a", fail("x"))
			g.after(10*time.Second - 1)
			assert.Contains(t, g.after(1), "+a", "it has a life of its own")
		})
	}
}

// Nor when nobody has told of the end of the older: the name is all that counts for
// protoactor, but not here.
func TestActorsNameTakenOver(t *testing.T) {
	bubble(t, delayed(strategies.OneForOne), "a", func(g *grove) {
		g.tell("a", fail("x"))
		g.after(5 * time.Second)
		g.asked = nil
		pid, newer := g.child("a"), new(inbox)
		old, _ := g.system.ProcessRegistry.Get(pid)
		g.system.ProcessRegistry.Remove(pid)
		g.system.ProcessRegistry.Add(newer, pid.Id)
		g.after(time.Minute)
		assert.Empty(t, g.asked)
		assert.Empty(t, newer.got)

		g.system.ProcessRegistry.Remove(pid)
		old.SendSystemMessage(pid, &actor.Stop{})
	})
}

// inbox keeps system messages.
type inbox struct{ got []any }

func (*inbox) SendUserMessage(*actor.PID, any)         {}
func (i *inbox) SendSystemMessage(_ *actor.PID, m any) { i.got = append(i.got, m) }
func (*inbox) Stop(*actor.PID)                         {}

// A child that still stops when its restart is due is not brought back, whoever
// has asked it to stop.
func TestActorsStoppingWhenDue(t *testing.T) {
	for name, stop := range map[string]func(g *grove){
		"child":                 func(g *grove) { g.system.Root.Stop(g.child("a")) },
		"supervisor":            func(g *grove) { g.system.Root.Stop(g.sup) },
		"supervisor, restarted": func(g *grove) { g.ask(behind{}) },
	} {
		t.Run(name, func(t *testing.T) {
			a := delayed(strategies.OneForOne)
			synctest.Test(t, func(t *testing.T) {
				g := &grove{t: t, system: newSystem(), answer: actor.RestartDirective, slow: 15 * time.Second}
				g.plant(a, "a")
				synctest.Wait()
				g.take()
				g.tell("a", fail("x"))
				g.after(5 * time.Second)
				stop(g)
				assert.Empty(t, g.after(10*time.Second), "due at 10 s, its own child stops until 20 s")
				got := g.after(time.Minute)
				switch name {
				case "child":
					assert.Equal(t, "-a", got)
				case "supervisor":
					assert.Equal(t, "-a -sup", got)
				default:
					assert.Equal(t, "-a +a", got, "by the new supervisor")
				}
				g.finish()
			})
			supervisors, _, _ := a.States()
			assert.Zero(t, supervisors)
		})
	}
}

// A failure that reaches a supervisor which stops restarts nothing.
func TestActorsFailureWhileStopping(t *testing.T) {
	for _, s := range []strategies.Strategy{strategies.OneForOne, strategies.OneForAll} {
		a := &strategies.ActorStrategy{Strategy: s}
		bubble(t, a, "a b c", func(g *grove) {
			g.tell("a b", busy(time.Second))
			g.tell("a b", fail("x"))
			synctest.Wait()
			g.system.Root.Stop(g.sup)
			got := strings.Fields(g.after(time.Minute))
			assert.ElementsMatch(t, []string{"-a", "-b", "-c", "-sup"}, got)
		})
		supervisors, _, _ := a.States()
		assert.Zero(t, supervisors)
	}
}

// Nor is a sibling that has been too busy to stop until now.
func TestActorsBusyWhileStopping(t *testing.T) {
	bubble(t, delayed(strategies.OneForAll), "a b", func(g *grove) {
		g.tell("b", busy(20*time.Second))
		synctest.Wait()
		g.tell("a", fail("x"))
		g.after(5 * time.Second)
		g.system.Root.Stop(g.sup)
		assert.Equal(t, "-a", g.after(10*time.Second))
		assert.Equal(t, "-b -sup", g.after(time.Minute))
	})
}

func TestActorsSupervisorGone(t *testing.T) {
	a := delayed(strategies.RestForOne)
	bubble(t, a, "a b c", func(g *grove) {
		g.tell("a", fail("x"))
		g.after(5 * time.Second)
		g.stopAndWait(g.sup)
		assert.ElementsMatch(t, []string{"-a", "-b", "-c", "-sup"}, strings.Fields(g.take()))
		supervisors, _, _ := a.States()
		assert.Zero(t, supervisors)
		assert.Empty(t, g.after(time.Minute))
	})
}
