package tree

import (
	"fmt"
	"time"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree/internal/machine"
)

// EventKind says what an Event tells.
type EventKind uint8

const (
	// ChildStarting: an incarnation is about to be started.
	ChildStarting EventKind = EventKind(machine.ChildStarting)
	// ChildStarted: an incarnation is ready.
	ChildStarted EventKind = EventKind(machine.ChildStarted)
	// ChildEnded: an incarnation has ended: Class, Err, Ran.
	ChildEnded EventKind = EventKind(machine.ChildEnded)
	// ChildIgnored: the child had nothing to run.
	ChildIgnored EventKind = EventKind(machine.ChildIgnored)
	// StartFailed: an incarnation ended before it was ready: Err.
	StartFailed EventKind = EventKind(machine.StartFailed)
	// RestartPlanned: a failure is answered with a restart: Err, Delay, and
	// Used of Max restarts within Within.
	RestartPlanned EventKind = EventKind(machine.RestartPlanned)
	// NotRestarted: an end is not answered with a restart: Class, Err, Rule.
	NotRestarted EventKind = EventKind(machine.NotRestarted)
	// GaveUp: there will be no further restart: Err, Rule, Used. Unless the rule
	// leaves the child down, the supervisor ends.
	GaveUp EventKind = EventKind(machine.GaveUp)
	// ChildStuck: asked to stop, the child used up its grace: Ran since asked.
	ChildStuck EventKind = EventKind(machine.ChildStuck)
	// LateEnd: a stuck incarnation has ended after all: Class, Err.
	LateEnd EventKind = EventKind(machine.LateEnd)
	// SupervisorStarted: all its children have started.
	SupervisorStarted EventKind = EventKind(machine.SupervisorStarted)
	// SupervisorEnding: it begins to stop its children: Rule, Err.
	SupervisorEnding EventKind = EventKind(machine.SupervisorEnding)
	// RequestDone: a request was answered: Request, Err.
	RequestDone EventKind = EventKind(machine.RequestDone)
)

var eventNames = [...]string{
	"child starting", "child started", "child ended", "child ignored", "start failed", "restart planned",
	"not restarted", "gave up", "child stuck", "late end", "supervisor started", "supervisor ending", "request done",
}

func (k EventKind) String() string { return name(eventNames[:], int(k), "EventKind") }

// MarshalText writes the kind as its name.
func (k EventKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Rule names what decided.
type Rule uint8

const (
	// RuleIntensity: the supervisor's Intensity.
	RuleIntensity Rule = Rule(machine.ByIntensity)
	// RuleMaxRestarts: the child's own Policy.MaxRestarts.
	RuleMaxRestarts Rule = Rule(machine.ByMaxRestarts)
	// RuleEscalate: the child returned actor.Escalate.
	RuleEscalate Rule = Rule(machine.ByEscalation)
	// RuleRestartType: the child's Restart.
	RuleRestartType Rule = Rule(machine.ByRestartType)
	// RuleStopping: it was being stopped anyway.
	RuleStopping Rule = Rule(machine.ByStop)
	// RuleStartFailed: a child failed while its supervisor was starting.
	RuleStartFailed Rule = Rule(machine.ByStart)
	// RuleRequest: it was asked for.
	RuleRequest Rule = Rule(machine.ByRequest)
	// RuleAutoShutdown: a significant child has ended.
	RuleAutoShutdown Rule = Rule(machine.BySignificance)
)

var ruleNames = [...]string{"", "intensity", "max restarts", "escalate", "restart type", "stopping", "start failed", "request", "auto-shutdown"}

func (r Rule) String() string { return name(ruleNames[:], int(r), "Rule") }

// MarshalText writes the rule as its name.
func (r Rule) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// Event is one thing that happened in a tree. Kind says which fields count.
// Events of a tree come in the order of Seq; within one supervisor that is the
// order in which things happened.
type Event struct {
	Seq         uint64
	Time        time.Time
	Kind        EventKind
	Path        string // of the child, or of the supervisor
	Incarnation int
	Class       actor.Class
	Err         error
	Exit        *actor.ExitStatus // ChildEnded, StartFailed: how its process ended, if it was one
	Ran         time.Duration     // how long the incarnation had been ready
	Delay       time.Duration     // until the restart
	Used, Max   int               // restarts counted and allowed; Max -1: no limit
	Within      time.Duration     // the window that Max is about
	Rule        Rule
	Restart     strategies.Restart
	Request     string // such as "terminate child"
	StaysDown   bool   // GaveUp: the child stays down and its supervisor lives
}

// publish tells what the machine has told, with what it does not know.
func (s *supervisor) publish(e *machine.Event) {
	ev := Event{
		Kind: EventKind(e.Kind), Path: s.path, Incarnation: e.Gen, Class: e.End.Class, Err: e.End.Err,
		Ran: e.Ran, Delay: e.Delay, Used: e.Used, Rule: Rule(e.Rule),
	}
	switch {
	case e.Slot != nil:
		ev.Path = s.path + "/" + e.Slot.Name
		ev.Restart = e.Slot.Spec.Restart
		if ev.Kind == ChildEnded || ev.Kind == StartFailed {
			ev.Exit = s.childOf(e.Slot).exitOf(e.Gen)
		}
	case e.Kind == machine.RequestDone:
		ev.Path = s.path + "/" + e.Name
		ev.Request = e.Op.String()
	default:
		ev.Incarnation = s.gen
	}
	if ev.Rule == RuleIntensity {
		i := s.spec.Intensity.WithDefaults()
		ev.Max, ev.Within = i.Max, i.Within
	} else if ev.Rule == RuleMaxRestarts && e.Slot != nil {
		ev.Max = e.Slot.Spec.Policy.MaxRestarts
		ev.StaysDown = e.Slot.Spec.Policy.Exhausted == strategies.StayDown
	}
	s.tree.bus.publish(ev)
}

func name(names []string, i int, typ string) string {
	if i < len(names) {
		return names[i]
	}
	return fmt.Sprintf("%s(%d)", typ, i)
}
