// Plainactors shows the strategies on plain protoactor actors, without a tree:
// a parent with three children under rest-for-one, with a limit and a backoff.
// It crashes the middle child and checks who was restarted; then it crashes it
// more often than allowed, which escalates to the parent's own parent.
package main

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/coppice-go/coppice/strategies"
)

// crash makes the child of that name panic.
type crash string

// member is one of three children that tell when they start and restart.
type member struct {
	name string
	log  chan<- string
}

func (m *member) Receive(c actor.Context) {
	switch c.Message().(type) {
	case *actor.Started:
		m.log <- m.name
	case crash:
		panic(m.name + " crashed")
	}
}

// parent spawns the members and passes a crash on to the one it is for.
type parent struct {
	log  chan<- string
	kids map[string]*actor.PID
}

func (p *parent) Receive(c actor.Context) {
	switch msg := c.Message().(type) {
	case *actor.Started:
		p.kids = make(map[string]*actor.PID)
		for _, name := range []string{"first", "second", "third"} {
			p.kids[name] = c.Spawn(actor.PropsFromProducer(func() actor.Actor { return &member{name, p.log} }))
		}
	case crash:
		c.Send(p.kids[string(msg)], msg)
	}
}

// family is the strategy of the parent for its children.
func family() *strategies.ActorStrategy {
	return &strategies.ActorStrategy{
		Strategy:  strategies.RestForOne,
		Intensity: strategies.Intensity{Max: 2, Within: time.Minute},
		Policy: strategies.Policy{Backoff: strategies.Backoff{
			Initial: 50 * time.Millisecond, Max: time.Second, Jitter: strategies.NoJitter,
		}},
	}
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "plainactors:", err)
		os.Exit(1)
	}
	fmt.Println("as it should be")
}

func run() error {
	log := make(chan string, 64)
	quiet := slog.New(slog.DiscardHandler)
	system := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return quiet }))
	top := &strategies.ActorStrategy{Intensity: strategies.Intensity{Max: 5, Within: time.Minute}}
	pid := system.Root.Spawn(actor.PropsFromProducer(
		func() actor.Actor { return &parent{log: log} },
		actor.WithSupervisor(family()), // for its children
		actor.WithGuardian(top),        // for itself
	))
	if err := expect(log, "spawned", "first second third"); err != nil {
		return err
	}
	for i := range 2 {
		system.Root.Send(pid, crash("second"))
		if err := expect(log, fmt.Sprintf("crash %d of second", i+1), "second third"); err != nil {
			return err
		}
	}
	system.Root.Send(pid, crash("second"))
	if err := expect(log, "crash 3, one too many: the parent is restarted", "first second third"); err != nil {
		return err
	}
	return system.Root.StopFuture(pid).Wait()
}

// expect reads as many starts as wanted, in any order after the spawn: plain
// protoactor actors restart side by side.
func expect(log <-chan string, what, want string) error {
	var got []string
	timeout := time.After(5 * time.Second)
	for len(got) < len(strings.Fields(want)) {
		select {
		case name := <-log:
			got = append(got, name)
		case <-timeout:
			return fmt.Errorf("%s: started %v, wanted %s", what, got, want)
		}
	}
	seen := make(map[string]bool)
	for _, name := range got {
		seen[name] = true
	}
	for _, name := range strings.Fields(want) {
		if !seen[name] {
			return fmt.Errorf("%s: started %v, wanted %s", what, got, want)
		}
	}
	fmt.Printf("%-48s started: %s\n", what, strings.Join(got, " "))
	return nil
}
