// Quickstart grows a small system of goroutines, an actor and OS processes, hurts
// it in eight ways, and checks each time that the right children, and only those,
// grow back in the right order. It exits with 0 if all went well, with 1 if not,
// and with 130 if it was interrupted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/coppice-go/coppice/tree"
)

// demo is one run of the show.
type demo struct {
	tree   *tree.Tree
	wounds map[string]chan func() error
	dir    string        // for the helpers' cues
	pace   time.Duration // between the wounds, for people to read
	color  bool
}

func main() {
	if name := os.Getenv(helperEnv); name != "" {
		os.Exit(helper(name))
	}
	pace := flag.Duration("pace", 900*time.Millisecond, "pause between the wounds")
	flag.Parse()
	os.Exit(run(*pace))
}

func run(pace time.Duration) int {
	dir, err := os.MkdirTemp("", "coppice-quickstart-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(filepath.Clean(dir))
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	d := &demo{wounds: make(map[string]chan func() error), dir: dir, pace: pace, color: wantColor(os.Stdout)}
	err = d.show(ctx)
	switch {
	case err == nil:
		d.say("\n%s", d.paint(green, "All healed, all stopped in order."))
		return 0
	case ctx.Err() != nil:
		d.say("\nInterrupted; everything has been stopped.")
		return 130
	}
	d.say("\n%s\n%v", d.paint(red, "Something went wrong:"), err)
	return 1
}

// show starts the tree, wounds it, and stops it.
func (d *demo) show(ctx context.Context) (err error) {
	log := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{Level: slog.LevelWarn, ReplaceAttr: briefly}))
	d.say("%s", d.paint(bold, "A tree grows."))
	d.tree, err = tree.Runner{Logger: log}.Start(context.WithoutCancel(ctx), d.shop())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.stop()) }()
	events := d.tree.Subscribe(1024)
	defer events.Close()
	if err := d.draw(ctx); err != nil {
		return err
	}
	for i, w := range d.script() {
		d.say("\n%s %s", d.paint(bold, fmt.Sprintf("Wound %d:", i+1)), w.title)
		if err := w.inflict(ctx); err != nil {
			return fmt.Errorf("wound %d: %w", i+1, err)
		}
		if err := settle(ctx, events.C, w); err != nil {
			return fmt.Errorf("wound %d: %w", i+1, err)
		}
		if w.also != nil {
			if err := w.also(); err != nil {
				return fmt.Errorf("wound %d: %w", i+1, err)
			}
		}
		d.say("   %s %s", d.paint(green, "healed: started again, in this order:"), w.started)
		if err := d.draw(ctx); err != nil {
			return err
		}
		if err := d.pause(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) pause(ctx context.Context) error {
	select {
	case <-time.After(d.pace):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// stop stops the tree and checks the order.
func (d *demo) stop() error {
	const want = "jobs/pool/w3 jobs/pool/w2 jobs/pool/w1 jobs/pool jobs/clock jobs/mailer jobs " +
		"web/thumbs web/sessions web/api web store/ledger store/cache store/db store"
	d.say("\n%s", d.paint(bold, "The tree is felled, last branch first."))
	events := d.tree.Subscribe(1024)
	report, err := d.tree.Stop(context.Background())
	d.say("   %v", report)
	var ended []string
	for e := range events.C {
		if e.Kind == tree.ChildEnded {
			ended = append(ended, e.Path[len("shop/"):])
		}
	}
	return errors.Join(err, compare("stopped", want, ended))
}

func (d *demo) draw(ctx context.Context) error {
	n, err := d.tree.Snapshot(ctx)
	if err != nil {
		return err
	}
	return n.Print(os.Stdout, tree.Style{Color: d.color})
}

// briefly leaves out of the log what does not matter in a show of ten seconds.
func briefly(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey || a.Key == "stack" {
		return slog.Attr{}
	}
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.DurationValue(a.Value.Duration().Round(time.Millisecond))
	}
	return a
}
