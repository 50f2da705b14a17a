package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/coppice-go/coppice/tree"
)

// wound is one way to hurt the tree, and what must follow: these children end in
// this order, and these start again in this order, and nothing else.
type wound struct {
	title   string
	inflict func(context.Context) error
	ended   string
	started string
	also    func() error // what else must hold
}

func (d *demo) script() []wound {
	return []wound{{
		title:   "jobs/mailer returns an error; its restart is delayed by 200ms",
		inflict: d.inflict("mailer", func() error { return errors.New("SMTP server has gone away") }),
		ended:   "jobs/mailer",
		started: "jobs/mailer",
	}, {
		title:   "web/api panics; one-for-all takes its siblings along",
		inflict: d.inflict("api", func() error { panic("index out of luck") }),
		ended:   "web/api web/thumbs web/sessions",
		started: "web/api web/sessions web/thumbs",
	}, {
		title:   "store/cache calls runtime.Goexit; rest-for-one takes those after it",
		inflict: d.inflict("cache", func() error { runtime.Goexit(); return nil }),
		ended:   "store/cache store/ledger",
		started: "store/cache store/ledger",
	}, {
		title:   "the process store/db gets a SIGKILL; all of store depends on it",
		inflict: d.killDB,
		ended:   "store/db store/ledger store/cache",
		started: "store/db store/cache store/ledger",
	}, {
		title:   "the process web/thumbs exits with 7 and leaves a grandchild behind",
		inflict: d.leaveOrphan,
		ended:   "web/thumbs web/sessions web/api",
		started: "web/api web/sessions web/thumbs",
		also:    d.orphanIsGone,
	}, {
		title:   "the actor store/ledger panics over a message",
		inflict: d.badDeposit,
		ended:   "store/ledger",
		started: "store/ledger",
	}, {
		title:   "jobs/clock hangs and misses its heartbeat",
		inflict: d.inflict("clock", func() error { return nil }),
		ended:   "jobs/clock",
		started: "jobs/clock",
	}, {
		title:   "jobs/pool/w2 fails three times: more than pool's limit of 2 in 5s; one level up, jobs starts a new pool",
		inflict: d.storm,
		ended:   "jobs/pool/w2 jobs/pool/w2 jobs/pool/w2 jobs/pool/w3 jobs/pool/w1 jobs/pool",
		started: "jobs/pool/w2 jobs/pool/w2 jobs/pool/w1 jobs/pool/w2 jobs/pool/w3 jobs/pool",
	}}
}

// inflict hands f to the worker, to be run inside it.
func (d *demo) inflict(worker string, f func() error) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case d.wounds[worker] <- f:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (d *demo) storm(ctx context.Context) error {
	for i := range 3 {
		err := d.inflict("w2", func() error { return fmt.Errorf("failure %d of 3", i+1) })(ctx)
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) killDB(ctx context.Context) error {
	n, err := d.tree.Find(ctx, "shop/store/db")
	if err != nil {
		return err
	}
	p, err := os.FindProcess(n.PID)
	if err != nil {
		return err
	}
	return p.Kill()
}

func (d *demo) leaveOrphan(context.Context) error {
	return os.WriteFile(cue(d.dir, "thumbs"), nil, 0o600)
}

func (d *demo) badDeposit(context.Context) error {
	pid := d.tree.PID("shop/store/ledger")
	d.tree.System().Root.Send(pid, deposit(10))
	d.tree.System().Root.Send(pid, deposit(-1))
	return nil
}

// orphanIsGone checks that nothing of the old process group has survived.
func (d *demo) orphanIsGone() error {
	text, err := os.ReadFile(left(d.dir, "thumbs"))
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(string(text))
	if err != nil {
		return err
	}
	if alive(pid) {
		return fmt.Errorf("the grandchild, pid %d, is still alive", pid)
	}
	d.say("   the grandchild, pid %d, is gone too", pid)
	return nil
}

// settle reads events until all that must have happened has, and then a little
// longer to see that nothing else does.
func settle(ctx context.Context, events <-chan tree.Event, w wound) error {
	const patience, quiet = 8 * time.Second, 150 * time.Millisecond
	var ended, started []string
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case e, ok := <-events:
			if !ok {
				return errors.New("the tree has ended")
			}
			path := strings.TrimPrefix(e.Path, "shop/")
			switch e.Kind {
			case tree.ChildEnded:
				ended = append(ended, path)
			case tree.ChildStarted:
				started = append(started, path)
			}
			if len(ended) >= len(strings.Fields(w.ended)) && len(started) >= len(strings.Fields(w.started)) {
				timer.Reset(quiet)
			}
		case <-timer.C:
			return errors.Join(compare("ended", w.ended, ended), compare("started", w.started, started))
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func compare(what, want string, got []string) error {
	if have := strings.Join(got, " "); have != want {
		return fmt.Errorf("%s:\n     wanted %s\n     got    %s", what, want, have)
	}
	return nil
}
