package strategies_test

import (
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/strategies"
)

// grove is an actor "top" over an actor "sup", which has the strategy under test,
// over children that write down what happens to them. It lives in a bubble.
type grove struct {
	t       *testing.T
	system  *actor.ActorSystem
	sup     *actor.PID
	answer  actor.Directive // of top, to a failure of sup
	climbed []any           // the reasons that top was told

	slow time.Duration // how long each child's own child takes to stop; 0: there is none

	mu    sync.Mutex
	lines []string
	asked []string // who was sent a Restart
}

type (
	fail   string        // the child panics with it
	late   time.Duration // the same, after so much work
	busy   time.Duration // it works so long
	note   string        // it writes it down
	halt   string        // sup stops the child of that name
	spawn  string        // sup starts one
	behind struct{}      // sup panics
)

// bubble runs f with a grove of the children named.
func bubble(t *testing.T, a *strategies.ActorStrategy, children string, f func(g *grove)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		g := &grove{t: t, system: newSystem(), answer: actor.StopDirective}
		g.plant(a, children)
		synctest.Wait()
		g.take()
		f(g)
		synctest.Wait()
		g.finish()
	})
}

func newSystem() *actor.ActorSystem {
	return actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
		return slog.New(slog.DiscardHandler)
	}))
}

func (g *grove) plant(a *strategies.ActorStrategy, children string) {
	sup := actor.PropsFromFunc(func(ctx actor.Context) {
		switch m := ctx.Message().(type) {
		case *actor.Started:
			for name := range strings.FieldsSeq(children) {
				g.spawn(ctx, name)
			}
		case spawn:
			g.spawn(ctx, string(m))
		case halt:
			ctx.Stop(g.child(string(m)))
		case behind:
			panic("behind")
		case *actor.Stopped:
			g.write("-sup")
		}
	}, actor.WithSupervisor(a))
	top := actor.PropsFromFunc(func(ctx actor.Context) {
		if _, ok := ctx.Message().(*actor.Started); ok {
			g.sup, _ = ctx.SpawnNamed(sup, "sup")
		}
	}, actor.WithSupervisor(g))
	_, err := g.system.Root.SpawnNamed(top, "top")
	require.NoError(g.t, err)
}

// HandleFailure is top's.
func (g *grove) HandleFailure(_ *actor.ActorSystem, top actor.Supervisor, who *actor.PID, _ *actor.RestartStatistics, reason, _ any) {
	g.climbed = append(g.climbed, reason)
	switch g.answer {
	case actor.RestartDirective:
		top.RestartChildren(who)
	case actor.StopDirective:
		top.StopChildren(who)
	}
}

func (g *grove) spawn(ctx actor.Context, name string) {
	_, err := ctx.SpawnNamed(g.props(name), name)
	require.NoError(g.t, err)
}

func (g *grove) props(name string) *actor.Props {
	return actor.PropsFromFunc(func(ctx actor.Context) {
		switch m := ctx.Message().(type) {
		case *actor.Started:
			g.write("+" + name)
			if g.slow > 0 {
				ctx.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
					if _, ok := ctx.Message().(*actor.Stopping); ok {
						time.Sleep(g.slow)
					}
				}))
			}
		case *actor.Stopped:
			g.write("-" + name)
		case fail:
			panic(string(m))
		case late:
			time.Sleep(time.Duration(m))
			panic("late")
		case busy:
			time.Sleep(time.Duration(m))
		case note:
			g.write(name + ":" + string(m))
		}
	}, actor.WithMailbox(actor.Unbounded(&posted{g, name})))
}

// posted sees messages as they are sent.
type posted struct {
	g    *grove
	name string
}

func (p *posted) MessagePosted(m any) {
	if _, ok := m.(*actor.Restart); ok {
		p.g.mu.Lock()
		p.g.asked = append(p.g.asked, p.name)
		p.g.mu.Unlock()
	}
}
func (*posted) MailboxStarted()     {}
func (*posted) MessageReceived(any) {}
func (*posted) MailboxEmpty()       {}

func (g *grove) child(name string) *actor.PID {
	return actor.NewPID(g.system.Address(), "top/sup/"+name)
}

// tell sends a message to each of the children named.
func (g *grove) tell(names string, m any) {
	for name := range strings.FieldsSeq(names) {
		g.system.Root.Send(g.child(name), m)
	}
}

func (g *grove) ask(m any) {
	g.system.Root.Send(g.sup, m)
	synctest.Wait()
}

func (g *grove) write(s string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lines = append(g.lines, s)
}

// take returns what was written since the last time.
func (g *grove) take() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := strings.Join(g.lines, " ")
	g.lines = nil
	return s
}

// after lets d pass and returns what was written in it.
func (g *grove) after(d time.Duration) string {
	time.Sleep(d)
	synctest.Wait()
	return g.take()
}

// finish stops all, and fails if that does not come to an end.
func (g *grove) finish() {
	g.stopAndWait(actor.NewPID(g.system.Address(), "top"))
	settled(g.system)
}

func (g *grove) stopAndWait(pid *actor.PID) {
	f := actor.NewFuture(g.system, time.Hour)
	if p, ok := g.system.ProcessRegistry.Get(pid); ok {
		p.SendSystemMessage(pid, &actor.Watch{Watcher: f.PID()})
		g.system.Root.Stop(pid)
		require.NoError(g.t, f.Wait(), "%v did not stop", pid)
	}
}

// settled lets the goroutine end that protoactor starts for dead letters.
func settled(system *actor.ActorSystem) { time.Sleep(system.Config.DeadLetterThrottleInterval + 1) }
