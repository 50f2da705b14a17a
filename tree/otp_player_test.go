package tree_test

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/tree"
	"github.com/coppice-go/coppice/tree/internal/otp"
)

var itoa = strconv.Itoa

type runKey struct {
	path        string
	incarnation int
}

// otpPlayer plays a case. Its trace is read from the tree's events.
type otpPlayer struct {
	*tree.Tree
	t    *testing.T
	root *otp.Spec
	quit chan struct{}

	mu      sync.Mutex
	runs    map[runKey][]*otpRun // in order: a child that is deleted and added anew counts from 1
	latest  map[string]*otpRun   // by path as in the trace, what was last started there
	specs   map[string]*otp.Spec // by path
	dynamic map[string]*otp.Spec // template, by path of the supervisor
	hold    *otpHold
	events  []tree.Event // not read yet
	pending int          // calls not answered yet

	otpReader
}

// otpHold catches the next start of a spec.
type otpHold struct {
	spec    *otp.Spec
	force   string
	entered chan struct{}
	release chan struct{}
}

func newOTPPlayer(t *testing.T, root *otp.Spec) *otpPlayer {
	p := &otpPlayer{
		t: t, root: root, quit: make(chan struct{}), runs: map[runKey][]*otpRun{}, latest: map[string]*otpRun{},
		specs: map[string]*otp.Spec{}, dynamic: map[string]*otp.Spec{},
	}
	p.otpReader = otpReader{p: p, current: map[runKey]*otpRun{}, seen: map[runKey]int{}, last: map[string]*otpRun{}, ended: map[string]string{}, miscount: map[string]int{}, ending: map[string]tree.Rule{}, owed: map[string]*tree.Event{}}
	return p
}

func (p *otpPlayer) note(t string, fields ...any) { p.trace = append(p.trace, otp.New(t, fields...)) }

func (p *otpPlayer) play(steps []otp.Step) {
	p.note("step", "i", 0, "op", "start_tree")
	p.note("sup_start", "path", "root", "k", 1)
	bad := p.root.Invalid()
	if bad == "" {
		bad = p.root.InvalidChildren()
	}
	if bad != "" { // much of which the types make impossible here
		p.over(bad)
		return
	}
	runner := tree.Runner{
		Logger: slog.New(slog.DiscardHandler), EventBuffer: 1 << 16, StopTimeout: tree.Infinity,
		OnEvent: func(e tree.Event) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.events = append(p.events, e)
		},
	}
	var err error
	if p.Tree, err = runner.Start(context.Background(), p.spec("root", p.root)); err != nil {
		p.read()
		p.over(failure(err))
		return
	}
	p.settle()
	p.note("ret", "i", 0, "value", "ok")
	for i := range steps {
		p.playStep(i+1, &steps[i])
		if p.done() {
			p.note("end", "root", "shutdown")
			return
		}
	}
}

// over is a tree that did not start.
func (p *otpPlayer) over(reason string) {
	p.note("sup_exit", "path", "root", "k", 1, "reason", reason)
	p.note("ret", "i", 0, "value", "error:"+reason)
	p.note("end", "root", "error:"+reason)
}

func (p *otpPlayer) finish() {
	close(p.quit)
	if p.Tree != nil {
		_, _ = p.Stop(context.Background())
	}
}

func (p *otpPlayer) done() bool {
	select {
	case <-p.Done():
		return true
	default:
		return false
	}
}

// settle lets everything happen that can, and reads what did.
func (p *otpPlayer) settle() {
	p.t.Helper()
	for range 100_000 {
		synctest.Wait()
		if p.quiet() {
			p.read()
			return
		}
		time.Sleep(time.Millisecond)
	}
	p.t.Fatal("does not come to rest")
}

func (p *otpPlayer) quiet() bool {
	p.mu.Lock()
	pending := p.pending
	p.mu.Unlock()
	if p.done() {
		return pending == 0
	}
	n, err := p.Snapshot(context.Background())
	if err != nil || pending > 0 || n.State != tree.Running {
		return false
	}
	return n.Walk(func(m *tree.Node) bool {
		return !m.Busy && (m.State == tree.Running || m.State == tree.Down)
	})
}

func (p *otpPlayer) playStep(i int, s *otp.Step) {
	p.trace = append(p.trace, s.Begin(i))
	var value any = "ok"
	switch s.Op {
	case "crash":
		value = p.crash(s.Path, s.Reason)
		p.settle()
	case "crash_hold":
		value = p.crashHold(s)
	case "sleep":
		time.Sleep(time.Duration(s.MS) * time.Millisecond)
		p.settle()
	case "stop":
		go func() { _, _ = p.Stop(context.Background()) }()
		<-p.Done()
		p.settle()
	default:
		get := p.call(s)
		p.settle()
		value = get()
	}
	if p.done() {
		p.supEnded("root")
		p.note("sup_exit", "path", "root", "k", 1, "reason", "shutdown")
	}
	p.note("ret", "i", i, "value", value)
}

func (p *otpPlayer) crash(where, reason string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.latest[where]
	if r == nil || !r.alive {
		return "no_path"
	}
	r.alive = false
	r.crash <- strings.Replace(reason, "kill", "killed", 1)
	return "ok"
}

// crashHold has a crash, a start that blocks, and what is put into the
// supervisor's queue meanwhile.
func (p *otpPlayer) crashHold(s *otp.Step) any {
	h := &otpHold{spec: p.holdSpec(s.Hold), force: s.Force, entered: make(chan struct{}), release: make(chan struct{})}
	p.mu.Lock()
	p.hold = h
	p.mu.Unlock()
	if word := p.crash(s.Path, s.Reason); word != "ok" {
		p.setHold(nil)
		return word
	}
	p.holdOrSettle(h)
	select {
	case <-h.entered:
	default:
		p.setHold(nil)
		return map[string]any{"held": false}
	}
	var gets []func() any
	for i := range s.Queue {
		q := &s.Queue[i]
		if q.Op == "crash" {
			word := p.crash(q.Path, q.Reason)
			gets = append(gets, func() any { return word })
		} else {
			gets = append(gets, p.call(q))
		}
		synctest.Wait()
	}
	close(h.release)
	p.settle()
	rets := []any{}
	for _, get := range gets {
		rets = append(rets, get())
	}
	return map[string]any{"held": true, "rets": rets}
}

func (p *otpPlayer) setHold(h *otpHold) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hold = h
}

// holdOrSettle waits until the hold has caught a start, or all has settled.
func (p *otpPlayer) holdOrSettle(h *otpHold) {
	for {
		synctest.Wait()
		select {
		case <-h.entered:
			return
		default:
		}
		if p.quiet() {
			p.read()
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// holdSpec also finds specs that were added at run time.
func (p *otpPlayer) holdSpec(where string) *otp.Spec {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.specs[where]; s != nil {
		if _, err := p.Find(context.Background(), where); err == nil {
			return s
		}
	}
	return p.root.Find(where)
}
