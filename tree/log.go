package tree

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree/internal/machine"
)

// drainWait bounds how long the end of a tree waits for its logger and OnEvent.
const drainWait = time.Second

const logBuffer = 1024

// startSinks starts the logger and OnEvent, each with a goroutine of its own so
// that neither can hold up the tree.
func (t *Tree) startSinks() {
	if f := t.runner.OnEvent; f != nil {
		t.sink("OnEvent", t.bus.subscribe(t.runner.EventBuffer, allEvents), f)
	}
	var mask machine.Mask
	for k := range EventKind(len(eventNames)) {
		if t.log.Enabled(context.Background(), lowestLevel(k)) {
			mask |= 1 << k
		}
	}
	if mask != 0 {
		t.sink("log", t.bus.subscribe(logBuffer, mask), t.logEvent)
	}
}

// observer hands the events of a subscription to f. The code it calls may end its
// goroutine: then another one goes on with the next event.
type observer struct {
	*Subscription
	t    *Tree
	name string
	f    func(Event)
	told uint64 // how many were lost
	done bool
}

func (t *Tree) sink(name string, s *Subscription, f func(Event)) {
	t.sinks.Add(1)
	k := &observer{Subscription: s, t: t, name: name, f: f}
	go k.run()
}

func (k *observer) run() {
	defer func() {
		if k.done {
			k.t.sinks.Done()
		} else {
			go k.run()
		}
	}()
	k.tellLost() // of before
	for e := range k.C {
		k.t.deliver(k.name, k.f, e)
		k.tellLost()
	}
	k.done = true
}

func (k *observer) tellLost() {
	n, told := k.Dropped(), k.told
	if n == told {
		return
	}
	k.told = n
	k.t.deliver(k.name, func(Event) {
		k.t.log.Warn("events lost", "tree", k.t.root.path, "by", k.name, "lost", n-told)
	}, Event{})
}

// deliver calls user code, which may panic, or end the goroutine.
func (t *Tree) deliver(name string, f func(Event), e Event) {
	returned := false
	defer func() {
		r := recover()
		if returned {
			return
		}
		defer func() { _ = recover() }()
		if r != nil {
			t.log.Error("observer panicked", "tree", t.root.path, "observer", name, "panic", r)
		} else {
			t.log.Error("observer called runtime.Goexit", "tree", t.root.path, "observer", name)
		}
	}()
	f(e)
	returned = true
}

// drain waits for the sinks to see the last event, but not for ever.
func (t *Tree) drain() {
	done := make(chan struct{})
	go func() {
		t.sinks.Wait()
		close(done)
	}()
	timer := time.NewTimer(drainWait)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

// lowestLevel is the least level at which an event of this kind is logged.
func lowestLevel(k EventKind) slog.Level {
	switch k {
	case RestartPlanned, NotRestarted, GaveUp, ChildStuck, LateEnd:
		return slog.LevelWarn
	case SupervisorEnding:
		return slog.LevelInfo
	}
	return slog.LevelDebug
}

// logEvent writes one line for a failure: who, why, what happens next, and how
// much of the limit is used. Everything else is for debugging.
func (t *Tree) logEvent(e Event) {
	level, msg := slog.LevelDebug, e.Kind.String()
	attrs := []slog.Attr{slog.String("path", e.Path)}
	if e.Incarnation > 0 {
		attrs = append(attrs, slog.Int("incarnation", e.Incarnation))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("error", errorText(e.Err)))
	}
	add := func(a ...slog.Attr) { attrs = append(attrs, a...) }
	switch e.Kind {
	case RestartPlanned:
		level, msg = slog.LevelWarn, "child failed"
		if e.Class == actor.ClassNormal || e.Class == actor.ClassShutdown {
			level, msg = slog.LevelInfo, "child ended"
		}
		add(slog.String("next", e.next()), slog.String("limit", e.limit()))
	case NotRestarted:
		if e.Class != actor.ClassAbnormal {
			break
		}
		level, msg = slog.LevelWarn, "child failed"
		add(slog.String("next", "not restarted: "+e.why()))
	case GaveUp:
		level, msg = slog.LevelError, "gave up"
		add(slog.String("next", e.next()), slog.String("limit", e.limit()))
	case ChildStuck:
		level = slog.LevelError
		add(slog.Duration("waited", e.Ran), slog.String("stack", goroutines().of(e.Path, e.Incarnation)))
	case LateEnd:
		level, msg = slog.LevelWarn, "stuck child has ended"
	case SupervisorEnding:
		level, msg = slog.LevelInfo, "supervisor stopping"
		add(slog.String("rule", e.Rule.String()))
	case ChildEnded:
		add(slog.String("class", e.Class.String()), slog.Duration("ran", e.Ran))
		if e.Exit != nil {
			add(slog.String("exit", e.Exit.String()))
		}
	case RequestDone:
		add(slog.String("request", e.Request))
	}
	if p := (*actor.PanicError)(nil); level >= slog.LevelWarn && asPanic(e.Err, &p) {
		add(slog.String("stack", string(p.Stack)))
	}
	t.log.LogAttrs(context.Background(), level, msg, attrs...)
}

// next is what happens next.
func (e *Event) next() string {
	switch {
	case e.StaysDown:
		return "child stays down"
	case e.Kind == GaveUp:
		return "supervisor ends"
	case e.Delay > 0:
		return "restart in " + short(e.Delay)
	}
	return "restart now"
}

// limit is how much of the limit is used.
func (e *Event) limit() string {
	switch {
	case e.Rule == RuleEscalate:
		return "none: escalated by the child"
	case e.Max == strategies.Unlimited:
		return fmt.Sprintf("%d, unlimited", e.Used)
	case e.Rule == RuleMaxRestarts:
		return fmt.Sprintf("%d/%d of the child", e.Used, e.Max)
	}
	return fmt.Sprintf("%d/%d in %v", e.Used, e.Max, e.Within)
}

func (e *Event) why() string {
	if e.Rule == RuleStopping {
		return "it was being stopped"
	}
	return e.Restart.String()
}

// asPanic looks through user code, which may panic.
func asPanic(err error, p **actor.PanicError) bool {
	defer func() { _ = recover() }()
	return err != nil && errors.As(err, p)
}
