package strategies

import (
	"fmt"
	"sync"

	"github.com/asynkron/protoactor-go/actor"
)

// ActorStrategy supervises plain protoactor actors: it is an
// actor.SupervisorStrategy with the strategies, limits and delays of this
// package.
//
//	props := actor.PropsFromProducer(newShop, actor.WithSupervisor(&strategies.ActorStrategy{
//		Strategy:  strategies.RestForOne,
//		Intensity: strategies.Intensity{Max: 3, Within: 5 * time.Second},
//		Policy:    strategies.Policy{Backoff: strategies.Backoff{Initial: 100 * time.Millisecond}},
//	}))
//
// One value may serve any number of supervisors: each has its own counts, which
// are dropped when it has stopped. The exported fields must not change, nor the
// value be copied, once it is in use. The zero value restarts the failed child
// alone, once within 5 seconds.
//
// # What it does
//
// A restart is counted when the failure arrives. If it is more than Intensity
// allows, over all children of the supervisor together, the failure is escalated
// to the supervisor's own parent and the counts begin anew. Otherwise the failed
// child stays suspended for the delay that Policy says, with its mailbox kept,
// and is then restarted. Policy.MaxRestarts counts for each child; Exhausted
// tells whether using it up escalates or stops the child.
//
// Under OneForAll and RestForOne the affected siblings are suspended with it and
// then restarted in start order. What fails while it waits for such a restart
// belongs to it and is not counted again. So that children that fail at the same
// moment are taken together, these restarts, and all delayed ones, come a
// millisecond after the failure at the earliest. A failure of a child that is not
// waiting begins a restart of its own; where two overlap they become one, due
// when the later one is.
//
// # What holds, and what does not
//
// A restart is protoactor's, in place: same PID, watchers and queued messages, a
// new instance of the actor. It is best effort where package tree is exact:
//
//   - Siblings are not stopped in reverse order before a group restart, and none
//     is waited for, neither its old instance nor its new one. Each is suspended
//     once the message in its hands is done; only the order in which the restarts
//     are asked for is start order.
//   - A sibling that is still busy when the restart is asked for, and then fails
//     in its old instance, is counted as another failure.
//   - Start order is the order in which children were first seen in Children(),
//     at a failure. That is the order they were spawned in unless, between the
//     spawn and the next failure, a sibling spawned earlier has ended: protoactor
//     then moves its last child into the gap. A child that was stopped and spawned
//     again counts as the last.
//   - Only failures arrive here. A child that stops is not restarted.
//   - A delayed restart reaches only the very actor that failed: one that was
//     stopped meanwhile, or a newer one of the same name, is left alone, and
//     nothing is restarted under a supervisor that is stopping. But a stop that
//     somebody asks for in the moment between the last look and the restart can
//     still bring an actor back that should be gone, which is protoactor's
//     handling of Restart after Stop.
//   - The counts of a supervisor outlive a restart of the supervisor that was not
//     an escalation from here.
//   - After an escalation the children concerned stay suspended. A supervisor
//     above that answers it with Resume leaves them so.
//   - An actor that panics while it handles Stopping or Stopped cannot be
//     supervised, by this or any protoactor strategy.
//
// # As a guardian
//
// With actor.WithGuardian there is no supervisor to escalate to, and the siblings
// are unknown. There OneForOne works, and Intensity counts over all actors under
// the guardian; where else a failure would be escalated the failed actor is
// stopped. It is also stopped at its first failure if Strategy is another one,
// and if Decide panics. The counts of a guardian are kept as long as the value.
type ActorStrategy struct {
	Strategy  Strategy
	Intensity Intensity
	Policy    Policy

	// Decide says what a failure calls for; nil: a restart. Resume lets the
	// failed child go on with its next message, unless it waits for a restart
	// already. Stop stops it alone, whatever Strategy is. Escalate, and a value
	// that is no Directive, hands the failure to the supervisor's parent. None of
	// them counts as a restart.
	Decide func(reason any) actor.Directive

	mu     sync.Mutex
	states map[actor.Supervisor]*supervised
}

var _ actor.SupervisorStrategy = (*ActorStrategy)(nil)

// Validate returns an error that names the field, as in "Intensity.Max: ...", if a
// value is out of its range. An invalid strategy restarts nothing: it escalates
// each failure, with this error beside the reason.
func (a *ActorStrategy) Validate() error {
	if !a.Strategy.Valid() {
		return fmt.Errorf("Strategy: unknown %v", a.Strategy)
	}
	if err := a.Intensity.Validate(); err != nil {
		return fmt.Errorf("Intensity.%w", err)
	}
	if err := a.Policy.Validate(); err != nil {
		return fmt.Errorf("Policy.%w", err)
	}
	return nil
}

// HandleFailure implements actor.SupervisorStrategy. Protoactor calls it. The
// statistics are neither read nor written.
func (a *ActorStrategy) HandleFailure(system *actor.ActorSystem, supervisor actor.Supervisor, child *actor.PID,
	_ *actor.RestartStatistics, reason, message any,
) {
	s := a.state(system, supervisor)
	if s.ctx == nil {
		// Under a guardian a panic here would end the program.
		defer func() {
			if recover() != nil {
				supervisor.StopChildren(child)
			}
		}()
	} else if s.stopping() {
		return // and so is the child
	}
	f := failure{child, reason, message}
	if err := a.Validate(); err != nil {
		f.reason = fmt.Errorf("strategies: invalid ActorStrategy: %w; failure: %v", err, reason)
		s.escalate(f)
		return
	}
	directive := actor.RestartDirective
	if a.Decide != nil {
		directive = a.Decide(reason)
	}
	switch directive {
	case actor.ResumeDirective:
		s.resume(f)
	case actor.RestartDirective:
		s.restart(f)
	case actor.StopDirective:
		s.stop(f)
	default:
		s.escalate(f)
	}
}

// state returns what is known of a supervisor.
func (a *ActorStrategy) state(system *actor.ActorSystem, supervisor actor.Supervisor) *supervised {
	a.mu.Lock()
	s := a.states[supervisor]
	a.mu.Unlock()
	if s != nil {
		return s
	}
	fresh := newSupervised(a, system, supervisor)
	a.mu.Lock()
	if s = a.states[supervisor]; s == nil {
		if a.states == nil {
			a.states = make(map[actor.Supervisor]*supervised)
		}
		s = fresh
		a.states[supervisor] = s
	}
	a.mu.Unlock()
	if s != fresh { // several actors under one guardian failed at once
		fresh.drop()
	}
	return s
}

// forget drops s. It does nothing if s was replaced.
func (a *ActorStrategy) forget(s *supervised) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.states[s.supervisor] == s {
		delete(a.states, s.supervisor)
	}
}
