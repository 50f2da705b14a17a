package tree_test

import (
	"context"
	"errors"
	"slices"
	"sort"
	"strings"
	"testing/synctest"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/tree"
	"github.com/coppice-go/coppice/tree/internal/otp"
)

// call makes a request and returns how to read its answer, once all has settled.
func (p *otpPlayer) call(s *otp.Step) func() any {
	word := func(w any) func() any { return func() any { return w } }
	n, err := p.Find(context.Background(), s.Sup)
	if err != nil || !n.Running() {
		return word("noproc")
	}
	p.mu.Lock()
	template := p.dynamic[s.Sup]
	p.mu.Unlock()
	if template != nil {
		return p.callDynamic(s, template)
	}
	where := s.Sup + "/" + s.ID
	switch s.Op {
	case "start_child":
		if bad := s.Spec.InvalidChild(p.autoShutdown(s.Sup)); bad != "" {
			return p.list(s.Sup, func([]otpLine) any { return "error:" + bad })
		}
		p.mu.Lock()
		c := p.child(s.Spec)
		p.mu.Unlock()
		where = s.Sup + "/" + s.Spec.ID
		return p.ask("start child", where, func(ctx context.Context) error { return p.StartChild(ctx, s.Sup, c) })
	case "terminate_child":
		return p.ask("terminate child", where, func(ctx context.Context) error { return p.TerminateChild(ctx, where) })
	case "restart_child":
		return p.ask("restart child", where, func(ctx context.Context) error { return p.RestartChild(ctx, where) })
	case "delete_child":
		return p.ask("delete child", where, func(ctx context.Context) error { return p.DeleteChild(ctx, where) })
	}
	return p.list(s.Sup, func(list []otpLine) any { return p.query(s, list) })
}

func (p *otpPlayer) callDynamic(s *otp.Step, template *otp.Spec) func() any {
	refuse := func([]otpLine) any { return "error:simple_one_for_one" }
	p.mu.Lock()
	r := p.latest[s.Sup+"/"+s.ID]
	p.mu.Unlock()
	switch {
	case s.Op == "start_child":
		return p.ask("start instance", s.Sup+"/*", func(ctx context.Context) error {
			_, err := p.StartInstance(ctx, s.Sup, nil)
			return err
		})
	case s.Op == "which_children", s.Op == "count_children":
	case strings.HasPrefix(s.ID, "#") && r == nil:
		return func() any { return "no_path" }
	case s.Op == "get_childspec":
	case s.Op != "terminate_child" || !strings.HasPrefix(s.ID, "#"):
		return p.list(s.Sup, refuse)
	default:
		where, current := p.instance(r)
		if !current { // restarted meanwhile: OTP says ok to any pid that is dead
			return p.list(s.Sup, func([]otpLine) any { return "ok" })
		}
		get := p.ask("terminate child", where, func(ctx context.Context) error { return p.TerminateChild(ctx, where) })
		return func() any {
			if v := get(); v != "error:not_found" {
				return v
			}
			return "ok"
		}
	}
	return p.list(s.Sup, func(list []otpLine) any { return p.query(s, list) })
}

// instance finds the tree's path of a run, and whether it is the last one there.
func (p *otpPlayer) instance(r *otpRun) (where string, current bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	newest := 0
	for key, runs := range p.runs {
		if slices.Contains(runs, r) {
			where = key.path
		}
	}
	for key, runs := range p.runs {
		for _, run := range runs {
			if key.path == where && run.out == "ok" {
				newest = max(newest, run.k)
			}
		}
	}
	return where, newest == r.k
}

func (p *otpPlayer) autoShutdown(sup string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.specs[sup]; s != nil {
		return s.AutoShutdown
	}
	return p.root.AutoShutdown
}

// later calls f in a goroutine of its own and waits until it has done all it can.
func (p *otpPlayer) later(f func()) {
	p.mu.Lock()
	p.pending++
	p.mu.Unlock()
	go func() {
		f()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.pending--
	}()
	synctest.Wait()
}

// ask makes a request and puts its answer into the words of the traces.
func (p *otpPlayer) ask(op, where string, f func(context.Context) error) func() any {
	var err error
	p.later(func() { err = f(context.Background()) })
	return func() any {
		switch {
		case errors.Is(err, tree.ErrSupervisorStopped):
			return "sup_died"
		case err == nil, op == "terminate child" && errors.Is(err, actor.ErrStuck): // killed, as far as OTP is concerned
			return p.answer(op, where)
		}
		return "error:" + strings.ReplaceAll(cause(err), " ", "_")
	}
}

// cause is what a request's error says beside what was asked.
func cause(err error) string {
	var r *tree.RequestError
	if errors.As(err, &r) {
		err = r.Err
	}
	return failure(err)
}

// failure puts the reason of a failed start into the words of the traces.
func failure(err error) string {
	if s, ok := err.(*tree.StartError); ok {
		id := s.Path[strings.LastIndexByte(s.Path, '/')+1:]
		return "shutdown:failed_to_start_child:" + id + "(" + failure(s.Err) + ")"
	}
	return err.Error()
}

// list asks for the children and returns how to read what view makes of them.
func (p *otpPlayer) list(sup string, view func([]otpLine) any) func() any {
	var list []otpLine
	var err error
	p.later(func() {
		var children []tree.ChildState
		if children, err = p.WhichChildren(context.Background(), sup); err == nil {
			list = p.lines(sup, children)
		}
	})
	return func() any {
		if err != nil {
			return "sup_died"
		}
		return view(list)
	}
}

type otpLine struct {
	ID    string `json:"id"`
	State string `json:"state"`
	Type  string `json:"type"`

	k      int
	spec   *otp.Spec
	active bool
}

// lines are the children as OTP lists them.
func (p *otpPlayer) lines(sup string, children []tree.ChildState) []otpLine {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := []otpLine{}
	for _, c := range children {
		l := otpLine{ID: c.Name, State: "undefined", Type: "worker", k: 1 << 30, spec: p.specs[sup+"/"+c.Name]}
		if c.Supervisor {
			l.Type = "supervisor"
		}
		switch c.State {
		case tree.Restarting:
			l.State = "restarting"
		case tree.Down:
		default:
			l.active = c.State != tree.Ended
			runs := p.runs[runKey{sup + "/" + c.Name, c.Incarnation}]
			l.k = runs[len(runs)-1].k
			l.State = "running:" + itoa(l.k)
		}
		list = append([]otpLine{l}, list...)
	}
	if p.dynamic[sup] != nil {
		sort.SliceStable(list, func(i, j int) bool { return list[i].k < list[j].k })
		for i := range list {
			list[i].ID = "undefined"
		}
	}
	return list
}

// query answers which_children, count_children and get_childspec from a list.
func (p *otpPlayer) query(s *otp.Step, list []otpLine) any {
	p.mu.Lock()
	defer p.mu.Unlock()
	template := p.dynamic[s.Sup]
	switch s.Op {
	case "which_children":
		return list
	case "count_children":
		c := map[string]int{"specs": len(list), "active": 0, "supervisors": 0, "workers": 0}
		for _, l := range list {
			if l.active {
				c["active"]++
			}
			c[l.Type+"s"]++
		}
		if template != nil {
			c["specs"] = 1
			c["active"] = len(list) - p.miscount[s.Sup]
			for _, l := range list {
				if l.State == "restarting" {
					c["active"]--
				}
			}
		}
		return c
	}
	if template != nil {
		if r := p.latest[s.Sup+"/"+s.ID]; r != nil && r.alive {
			return template.Describe()
		}
		return "error:not_found"
	}
	for _, l := range list {
		if l.ID == s.ID {
			if l.spec == nil {
				l.spec = p.root.Find(s.Sup + "/" + s.ID)
			}
			return l.spec.Describe()
		}
	}
	return "error:not_found"
}
