package tree_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/tree"
)

// play is a tree in a scenario, and what is known of it.
type play struct {
	spec   *tree.Spec
	began  time.Time
	ctx    context.Context // the tree's life
	cancel context.CancelFunc

	mu     sync.Mutex
	tree   *tree.Tree
	runs   []*run
	starts map[string][]string // what the next starts do, by path
	events []tree.Event
	told   int    // events told already
	notes  []note // not told yet
}

// note is a line of output besides the events.
type note struct {
	at   time.Time
	text string
	like *tree.Event // an event that says the same
}

func newPlay(spec *tree.Spec) *play {
	p := &play{spec: spec, began: time.Now(), starts: map[string][]string{}}
	p.ctx, p.cancel = context.WithCancel(context.WithValue(context.Background(), playKey{}, p))
	return p
}

// finish ends the tree and everything that still hangs.
func (p *play) finish() {
	if p == nil {
		return
	}
	p.mu.Lock()
	for _, r := range p.runs {
		r.end = nil
		r.let()
	}
	p.mu.Unlock()
	p.cancel()
	synctest.Wait()
	if p.tree != nil {
		<-p.tree.Done()
	}
}

func (p *play) note(format string, args ...any) {
	p.noteLike(nil, format, args...)
}

func (p *play) noteLike(e *tree.Event, format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.notes = append(p.notes, note{time.Now(), fmt.Sprintf(format, args...), e})
}

// start starts the tree. Its end is told when it comes.
func (p *play) start() {
	runner := tree.Runner{Logger: slog.New(slog.DiscardHandler), OnEvent: func(e tree.Event) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.events = append(p.events, e)
	}}
	go func() {
		t, err := runner.Start(p.ctx, *p.spec)
		if err != nil {
			p.note("answer to start: %v", err)
			return
		}
		p.mu.Lock()
		p.tree = t
		p.mu.Unlock()
		if err := t.Wait(context.Background()); err != nil {
			p.note("the tree has ended: %v", err)
		} else {
			p.note("the tree has ended in order")
		}
	}()
}

// ask carries a request out and tells its answer when it comes. op and path are
// those of the event that tells of it; an event that says the same as the answer
// stands for it.
func (p *play) ask(ctx context.Context, command, op, path string, f func(context.Context, *tree.Tree) (string, error)) {
	go func() {
		result, err := f(ctx, p.tree)
		like := &tree.Event{Kind: tree.RequestDone, Request: op, Path: path}
		if err != nil {
			result = err.Error()
			if re, ok := err.(*tree.RequestError); ok {
				like.Err, result = re.Err, re.Err.Error()
			}
		} else if result == "" {
			result = "ok"
		} else {
			like.Path = result // an instance
		}
		p.noteLike(like, "answer to %s: %s", command, result)
	}()
}

// stop stops the tree, bounded by within unless that is Infinity.
func (p *play) stop(command string, within time.Duration) {
	if p.tree == nil { // not even its first child has started
		p.cancel()
		return
	}
	go func() {
		ctx := context.Background()
		if within != tree.Infinity {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, within)
			defer cancel()
		}
		report, err := p.tree.Stop(ctx)
		text := fmt.Sprintf("took %v", report.Took)
		for _, s := range report.Stuck {
			text += fmt.Sprintf(", still running: %s #%d", s.Path, s.Incarnation)
		}
		if (err != nil) != (len(report.Stuck) > 0) {
			text += fmt.Sprintf(", %v", err)
		}
		p.note("answer to %s: %s", command, text)
	}()
}

// tell returns what has happened since the last time, in order.
func (p *play) tell(since time.Time) []string {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	events := slices.Clone(p.events[p.told:])
	p.told = len(p.events)
	notes := p.notes
	p.notes = nil
	for _, e := range events { // which may stand for an answer
		if e.Kind != tree.RequestDone {
			continue
		}
		i := slices.IndexFunc(notes, func(n note) bool {
			return n.like != nil && n.like.Request == e.Request && n.like.Path == e.Path && n.like.Err == e.Err
		})
		if i >= 0 {
			notes = slices.Delete(notes, i, i+1)
		}
	}
	slices.SortStableFunc(notes, func(a, b note) int {
		if c := a.at.Compare(b.at); c != 0 {
			return c
		}
		return strings.Compare(a.text, b.text)
	})
	var lines []string
	add := func(at time.Time, text string) {
		text = strings.ReplaceAll(text, "\n", "; ") // joined errors
		if at.After(since) {
			text = fmt.Sprintf("+%v %s", at.Sub(p.began), text)
		}
		lines = append(lines, text)
	}
	for _, e := range events {
		for len(notes) > 0 && notes[0].at.Before(e.Time) {
			add(notes[0].at, notes[0].text)
			notes = notes[1:]
		}
		if e.Kind != tree.ChildStarting {
			add(e.Time, tell(e))
		}
	}
	for _, n := range notes {
		add(n.at, n.text)
	}
	return lines
}

// tell is an event as a line, with the whole path.
func tell(e tree.Event) string {
	s := e.Path
	if e.Incarnation > 1 {
		s += fmt.Sprintf(" #%d", e.Incarnation)
	}
	s += ": " + strings.Replace(what(e), "of -1", "of any number", 1)
	if e.StaysDown {
		s += " (it stays down)"
	}
	return s
}

// fullTell is all that an event says, but for errors' long texts.
func (p *play) fullTell(e tree.Event) string {
	s := fmt.Sprintf("%d. +%v %s #%d: %s", e.Seq, e.Time.Sub(p.began), e.Path, e.Incarnation, what(e))
	switch e.Kind {
	case tree.ChildEnded, tree.ChildStuck:
		s += fmt.Sprintf(" (ran %v)", e.Ran)
	case tree.RestartPlanned:
		s += fmt.Sprintf(" (within %v, by %v)", e.Within, e.Rule)
	}
	return s
}

// snapshot draws the tree without what differs from run to run.
func snapshot(n *tree.Node, indent string) []string {
	s := indent + n.Name
	if n.Incarnation > 1 {
		s += fmt.Sprintf(" #%d", n.Incarnation)
	}
	s += ": " + n.State.String()
	if n.Kind == "supervisor" && n.State != tree.Down && n.Intensity.Max >= 0 {
		s += fmt.Sprintf(", %d of %d used", n.Used, n.Intensity.Max)
	}
	if n.Busy {
		s += ", busy"
	}
	if n.Restarts > 0 {
		s += fmt.Sprintf(", restarts %d", n.Restarts)
	}
	if n.Stuck > 0 {
		s += fmt.Sprintf(", stuck #%d", n.Stuck)
	}
	if n.LastError != nil {
		s += ", last: " + n.LastError.Error()
	}
	lines := []string{s}
	for i := range n.Children {
		lines = append(lines, snapshot(&n.Children[i], indent+"  ")...)
	}
	return lines
}

func (p *play) ready(path string) error {
	r, err := p.running(path)
	if err == nil {
		actor.Ready(r.ctx)
	}
	return err
}

func (p *play) beat(path string) error {
	r, err := p.running(path)
	if err == nil {
		actor.Beat(r.ctx)
	}
	return err
}
