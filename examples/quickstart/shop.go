package main

import (
	"context"
	"log/slog"
	"os"
	"time"

	proto "github.com/asynkron/protoactor-go/actor"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/proc"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

// shop is the system: three subtrees, one for each strategy, with goroutines, an
// actor and OS processes side by side.
func (d *demo) shop() tree.Spec {
	return tree.Spec{
		Name:      "shop",
		Intensity: strategies.Intensity{Max: 10, Within: time.Minute},
		Children: []tree.Child{
			{Name: "store", Service: tree.Spec{
				Strategy:  strategies.RestForOne, // what comes later depends on what comes before
				Intensity: strategies.Intensity{Max: 10, Within: time.Minute},
				Children: []tree.Child{
					{Name: "db", Service: d.process("db")},
					{Name: "cache", Service: d.worker("cache"), StartTimeout: 5 * time.Second},
					{Name: "ledger", Service: actor.Props(proto.PropsFromProducer(func() proto.Actor { return &ledger{} }))},
				},
			}},
			{Name: "web", Service: tree.Spec{
				Strategy:  strategies.OneForAll, // all or nothing
				Intensity: strategies.Intensity{Max: 10, Within: time.Minute},
				Children: []tree.Child{
					{Name: "api", Service: d.worker("api"), StartTimeout: 5 * time.Second},
					{Name: "sessions", Service: d.worker("sessions"), StartTimeout: 5 * time.Second},
					{Name: "thumbs", Service: d.process("thumbs")},
				},
			}},
			{Name: "jobs", Service: tree.Spec{
				Strategy:  strategies.OneForOne, // each for itself
				Intensity: strategies.Intensity{Max: 10, Within: time.Minute},
				Children: []tree.Child{
					{Name: "mailer", Service: d.worker("mailer"), Policy: strategies.Policy{Delay: 200 * time.Millisecond}},
					{Name: "clock", Service: d.worker("clock"), Heartbeat: 400 * time.Millisecond},
					{Name: "pool", Service: tree.Spec{
						Intensity: strategies.Intensity{Max: 2, Within: 5 * time.Second},
						Children: []tree.Child{
							{Name: "w1", Service: d.worker("w1")},
							{Name: "w2", Service: d.worker("w2")},
							{Name: "w3", Service: d.worker("w3")},
						},
					}},
				},
			}},
		},
	}
}

// worker is a goroutine that does nothing but beat, until it is wounded.
func (d *demo) worker(name string) actor.Func {
	wound := make(chan func() error)
	d.wounds[name] = wound
	return func(ctx context.Context) error {
		actor.Ready(ctx)
		beat := time.NewTicker(100 * time.Millisecond)
		defer beat.Stop()
		for {
			select {
			case <-ctx.Done():
				return nil
			case f := <-wound:
				if err := f(); err != nil {
					return err
				}
				<-ctx.Done() // no error: it just hangs, without a beat
				return nil
			case <-beat.C:
				actor.Beat(ctx)
			}
		}
	}
}

// process is this program once more, in its helper mode.
func (d *demo) process(name string) *proc.Command {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	return &proc.Command{
		Path:   self,
		Env:    []string{helperEnv + "=" + name, dirEnv + "=" + d.dir},
		Ready:  proc.LogLine("^ready$"),
		Logger: slog.New(slog.DiscardHandler),
	}
}

// ledger is a message-driven actor. Money that does not exist makes it panic.
type ledger struct{ sum int }

type deposit int

func (l *ledger) Receive(c proto.Context) {
	if amount, ok := c.Message().(deposit); ok {
		if amount <= 0 {
			panic("ledger: a deposit of nothing")
		}
		l.sum += int(amount)
	}
}
