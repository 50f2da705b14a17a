package strategies_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/assert"

	"github.com/coppice-go/coppice/strategies"
)

func TestActorsGuardian(t *testing.T) {
	for _, tc := range []struct {
		name string
		a    *strategies.ActorStrategy
		want []string // after each failure
	}{
		{"restart", &strategies.ActorStrategy{}, []string{"+a"}},
		{"delay", &strategies.ActorStrategy{Policy: strategies.Policy{Delay: time.Second}}, []string{"+a"}},
		{"intensity", &strategies.ActorStrategy{Intensity: strategies.Intensity{Max: 2}}, []string{"+a", "+a", "-a"}},
		{"one for all", &strategies.ActorStrategy{Strategy: strategies.OneForAll}, []string{"-a"}},
		{"rest for one", &strategies.ActorStrategy{Strategy: strategies.RestForOne}, []string{"-a"}},
		{"invalid", &strategies.ActorStrategy{Strategy: 9}, []string{"-a"}},
		{"exhausted", &strategies.ActorStrategy{Policy: strategies.Policy{MaxRestarts: 1}, Intensity: unlimited}, []string{"+a", "-a"}},
		{"escalate", &strategies.ActorStrategy{Decide: func(any) actor.Directive { return actor.EscalateDirective }}, []string{"-a"}},
		{"stop", &strategies.ActorStrategy{Decide: func(any) actor.Directive { return actor.StopDirective }}, []string{"-a"}},
		{"resume", &strategies.ActorStrategy{Decide: func(any) actor.Directive { return actor.ResumeDirective }}, []string{"", ""}},
		{"panic", &strategies.ActorStrategy{Decide: func(any) actor.Directive { panic("undecided") }}, []string{"-a"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &grove{t: t, system: newSystem()}
				pid := g.system.Root.Spawn(g.props("a").Configure(actor.WithGuardian(tc.a)))
				synctest.Wait()
				g.take()
				for i, want := range tc.want {
					g.system.Root.Send(pid, fail("x"))
					assert.Equal(t, want, g.after(time.Second), "failure %d", i+1)
				}
				g.stopAndWait(pid)
				_, kids, _ := tc.a.States()
				assert.Zero(t, kids)
				settled(g.system)
			})
		})
	}
}

// Under a guardian failures arrive in many goroutines.
func TestActorsGuardianConcurrent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &strategies.ActorStrategy{Intensity: strategies.Intensity{Max: 20}}
		g := &grove{t: t, system: newSystem()}
		var pids []*actor.PID
		for range 20 {
			pids = append(pids, g.system.Root.Spawn(g.props("a").Configure(actor.WithGuardian(a))))
		}
		for _, pid := range pids {
			g.system.Root.Send(pid, fail("x"))
		}
		synctest.Wait()
		supervisors, kids, _ := a.States()
		assert.Equal(t, 1, supervisors)
		assert.Equal(t, 20, kids)
		for _, pid := range pids {
			g.stopAndWait(pid)
		}
		settled(g.system)
	})
}
