package tree_test

import (
	"context"
	"errors"
	"path"
	"strings"
	"time"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
	"github.com/coppice-go/coppice/tree/internal/otp"
)

var errStartFail = errors.New("start_fail")

// otpReasons are the ends that a case speaks of.
var otpReasons = map[string]error{
	"normal": nil, "shutdown": actor.ErrShutdown, "shutdown_tuple": actor.Shutdown(errBoom),
	"abnormal": errBoom, "killed": actor.ErrKilled,
}

// otpRun is one invocation of a start function.
type otpRun struct {
	spec  *otp.Spec
	where string // as in the trace
	k     int
	out   string
	crash chan string
	alive bool
	word  string // how it ended

	crashed bool // nobody asked it to end
}

// otpWorker is the Service of a worker.
type otpWorker struct {
	p    *otpPlayer
	spec *otp.Spec
}

func (*otpWorker) AnnouncesReady() bool { return true }

func (w *otpWorker) Serve(ctx context.Context) error {
	r := w.p.enter(ctx, w.spec)
	if err := r.refused(); err != nil {
		return err
	}
	actor.Ready(ctx)
	select {
	case word := <-r.crash:
		r.word, r.crashed = word, true
		return otpReasons[word]
	case <-ctx.Done():
	}
	w.p.setAlive(r, false)
	switch w.spec.Stop.Mode {
	case "slow":
		select {
		case <-time.After(time.Duration(w.spec.Stop.MS) * time.Millisecond):
		case <-w.p.quit:
		}
	case "ignore":
		<-w.p.quit
	}
	r.word = w.spec.StopExit
	if r.word == "" {
		r.word = "shutdown"
	}
	return ctx.Err()
}

// refused is what the start function returns if it does not start anything.
func (r *otpRun) refused() error {
	return map[string]error{"fail": errStartFail, "ignore": actor.ErrIgnore}[r.out]
}

// enter is the beginning of a start function. It blocks if it is to be held.
func (p *otpPlayer) enter(ctx context.Context, s *otp.Spec) *otpRun {
	id, _ := actor.Self(ctx)
	p.mu.Lock()
	k, out := s.Enter()
	hold := p.hold
	if hold != nil && hold.spec == s {
		p.hold = nil
		if hold.force != "" {
			out = hold.force
		}
	} else {
		hold = nil
	}
	r := &otpRun{spec: s, where: p.where(id.Path, k), k: k, out: out, crash: make(chan string, 1)}
	key := runKey{id.Path, id.Incarnation}
	p.runs[key] = append(p.runs[key], r)
	p.specs[id.Path] = s
	if out == "ok" && !s.Supervisor() {
		r.alive = true
		p.latest[r.where] = r
	}
	p.mu.Unlock()
	if hold != nil {
		close(hold.entered)
		<-hold.release
	}
	return r
}

// where is the path as the traces have it: an instance is called by its k.
func (p *otpPlayer) where(treePath string, k int) string {
	if dir := path.Dir(treePath); p.dynamic[dir] != nil {
		return dir + "/#" + itoa(k)
	}
	return treePath
}

func (p *otpPlayer) setAlive(r *otpRun, alive bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r.alive = alive
}

// spec makes the tree's spec of the case's, for the supervisor at a path.
func (p *otpPlayer) spec(at string, s *otp.Spec) tree.Spec {
	p.mu.Lock()
	defer p.mu.Unlock()
	spec := tree.Spec{AutoShutdown: map[string]tree.AutoShutdown{
		"any_significant": tree.AnySignificant, "all_significant": tree.AllSignificant,
	}[s.AutoShutdown]}
	spec.Intensity.Max, spec.Intensity.Within = s.Limit()
	if s.Template != nil {
		p.dynamic[at] = s.Template
		t := p.child(s.Template)
		t.Name = ""
		spec.Template = &tree.Template{Child: t}
		return spec
	}
	if s.Strategy != "" {
		if err := spec.Strategy.UnmarshalText([]byte(s.Strategy)); err != nil {
			p.t.Fatal(err)
		}
	}
	for _, c := range s.Children {
		spec.Children = append(spec.Children, p.child(c))
	}
	return spec
}

func (p *otpPlayer) child(s *otp.Spec) tree.Child {
	c := tree.Child{Name: s.ID, Significant: s.Significant == true, OnStuck: tree.StuckAbandon}
	if s.Restart != "" {
		if err := c.Restart.UnmarshalText([]byte(s.Restart)); err != nil {
			p.t.Fatal(err)
		}
	}
	switch v := s.Shutdown.(type) {
	case float64:
		c.Shutdown = time.Duration(v) * time.Millisecond
		if v == 0 {
			c.Shutdown = 1 // the zero value is the default
		}
	case string:
		c.Shutdown = map[string]time.Duration{"brutal_kill": tree.Brutal, "infinity": tree.Infinity}[v]
	}
	c.Service = &otpWorker{p, s}
	if s.Supervisor() {
		c.Service = tree.Init(func(ctx context.Context) (tree.Spec, error) {
			id, _ := actor.Self(ctx)
			if err := p.enter(ctx, s).refused(); err != nil {
				return tree.Spec{}, err
			}
			return p.spec(id.Path, s), nil
		})
	}
	return c
}

// reported tells whether OTP reports this end of a child that it did not ask for.
func reported(s *otp.Spec, word string) bool {
	var restart strategies.Restart
	if s.Restart != "" && restart.UnmarshalText([]byte(s.Restart)) != nil {
		return false
	}
	return restart == strategies.Permanent || !strings.Contains("normal shutdown shutdown_tuple", word)
}
