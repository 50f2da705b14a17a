package machine

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/tree/internal/otp"
)

func (p *player) play(steps []otp.Step) {
	p.note("step", "i", 0, "op", "start_tree")
	p.spec.K = 1
	bad := p.spec.Invalid()
	if bad == "" {
		bad = p.spec.InvalidChildren()
	}
	if bad != "" {
		p.note("sup_start", "path", "root", "k", 1)
		p.note("sup_exit", "path", "root", "k", 1, "reason", bad)
		p.note("ret", "i", 0, "value", "error:"+bad)
		p.note("end", "root", "error:"+bad)
		return
	}
	p.root = p.newNode("root", p.spec)
	p.feed(p.root, Input{Kind: Begin})
	p.settle()
	if p.over {
		last := fmt.Sprint("error:", p.trace[len(p.trace)-1]["reason"])
		p.note("ret", "i", 0, "value", last)
		p.note("end", "root", last)
		return
	}
	p.note("ret", "i", 0, "value", "ok")
	for i, s := range steps {
		p.playStep(i+1, s)
		if p.over {
			p.note("end", "root", "shutdown")
			return
		}
	}
}

func (p *player) playStep(i int, s otp.Step) {
	p.trace = append(p.trace, s.Begin(i))
	var value any = "ok"
	switch s.Op {
	case "crash":
		value = p.crash(s.Path, s.Reason)
		p.settle()
	case "crash_hold":
		value = p.crashHold(s)
	case "sleep":
		p.now = p.now.Add(time.Duration(s.MS) * time.Millisecond)
	case "stop":
		p.feed(p.root, Input{Kind: Stop})
		p.settle()
	default:
		get := p.call(s)
		p.settle()
		value = get()
	}
	p.note("ret", "i", i, "value", value)
}

func (p *player) crashHold(s otp.Step) any {
	run := p.latest[s.Path]
	if run == nil || !run.alive {
		return "no_path"
	}
	var gets []func() any
	held := false
	p.hold = &otpHold{spec: p.holdSpec(s.Hold), force: s.Force, run: func() {
		held = true
		for _, q := range s.Queue {
			if q.Op == "crash" {
				word := p.crash(q.Path, q.Reason)
				gets = append(gets, func() any { return word })
				continue
			}
			gets = append(gets, p.call(q))
		}
	}}
	p.crash(s.Path, s.Reason)
	p.settle()
	p.hold = nil
	if !held {
		return map[string]any{"held": false}
	}
	rets := []any{}
	for _, get := range gets {
		rets = append(rets, get())
	}
	return map[string]any{"held": true, "rets": rets}
}

// holdSpec also finds specs that were added at run time.
func (p *player) holdSpec(where string) *otp.Spec {
	if s := p.slotAt(where); s != nil {
		return s.Data.(*kidOf).spec
	}
	return p.spec.Find(where)
}

// call makes a request and returns how to read its answer, once all has settled.
func (p *player) call(s otp.Step) func() any {
	word := func(w any) func() any { return func() any { return w } }
	n := p.nodes[s.Sup]
	if n == nil || n.ended {
		return word("noproc")
	}
	simple := n.spec.Template != nil
	var reply any
	r := &Request{Name: s.ID, Reply: &reply}
	switch s.Op {
	case "start_child":
		spec := s.Spec
		r.Op = StartChild
		if simple {
			r.Op, spec = StartInstance, n.spec.Template
			n.named++ // any name will do
			r.Name = fmt.Sprint("instance", n.named)
		} else {
			if bad := spec.InvalidChild(n.spec.AutoShutdown); bad != "" {
				return p.read(n, &Request{Op: WhichChildren}, func(any) any { return "error:" + bad })
			}
			r.Name = spec.ID
		}
		r.Child, r.Data = childSpec(spec), &kidOf{spec: spec}
	case "terminate_child":
		r.Op = TerminateChild
	case "restart_child":
		r.Op = RestartChild
	case "delete_child":
		r.Op = DeleteChild
	default:
		if simple && strings.HasPrefix(s.ID, "#") && p.latest[n.path+"/"+s.ID] == nil {
			return word("no_path")
		}
		return p.read(n, &Request{Op: WhichChildren}, func(list any) any { return p.query(n, s, list) })
	}
	if simple && r.Op != StartInstance {
		if r.Op != TerminateChild || !strings.HasPrefix(s.ID, "#") {
			return p.read(n, &Request{Op: WhichChildren}, func(any) any { return "error:simple_one_for_one" })
		}
		run := p.latest[n.path+"/"+s.ID]
		if run == nil {
			return word("no_path")
		}
		r.Name = run.slot.Name
		if data := run.slot.Data.(*kidOf); data.run != run || run.node != n {
			// Restarted meanwhile: OTP says ok to any pid that is dead.
			return p.read(n, &Request{Op: WhichChildren}, func(any) any { return "ok" })
		}
		return p.read(n, r, func(v any) any {
			if v == "error:not_found" {
				return "ok"
			}
			return v
		})
	}
	return p.read(n, r, func(v any) any { return v })
}

func (p *player) read(n *node, r *Request, view func(any) any) func() any {
	var reply any
	r.Reply = &reply
	p.feed(n, Input{Kind: Ask, Request: r})
	return func() any {
		if reply == "sup_died" {
			return reply
		}
		return view(reply)
	}
}

// answer puts an answer into the words of the traces. It runs when the answer is
// given, so that what it says of incarnations is of that moment.
func (p *player) answer(n *node, a *Answer) any {
	switch {
	case errors.Is(a.Err, ErrStopped):
		return "sup_died"
	case a.Request.Op == TerminateChild && errors.Is(a.Err, actor.ErrStuck):
		return "ok" // killed, as far as OTP is concerned
	case a.Err != nil:
		return "error:" + strings.ReplaceAll(a.Err.Error(), " ", "_")
	case a.Request.Op == WhichChildren:
		return otpList{p.list(n, a.Children), n.miscount}
	case a.Request.Op == TerminateChild, a.Request.Op == DeleteChild:
		return "ok"
	}
	if a.Gen == 0 {
		return "ok:undefined"
	}
	return fmt.Sprint("ok:", state(Info{Slot: a.Slot, State: Running}))
}

type otpLine struct {
	ID    string `json:"id"`
	State string `json:"state"`
	Type  string `json:"type"`

	k      int
	spec   *otp.Spec
	active bool
}

// otpList is the answer to which_children, from which others are derived.
type otpList struct {
	lines    []otpLine
	miscount int
}

func state(i Info) string {
	switch i.State {
	case Down:
		return "undefined"
	case Waiting:
		return "restarting"
	}
	data := i.Slot.Data.(*kidOf)
	if data.sup != nil {
		return fmt.Sprint("running:", data.sup.k)
	}
	return fmt.Sprint("running:", data.run.k)
}

func (p *player) list(n *node, children []Info) []otpLine {
	list := []otpLine{}
	for _, i := range children {
		data := i.Slot.Data.(*kidOf)
		l := otpLine{ID: i.Slot.Name, State: state(i), Type: data.spec.Kind, k: 1 << 30, spec: data.spec}
		l.active = i.State == Running || i.State == Starting || i.State == Stopping
		if n.spec.Template != nil {
			l.ID = "undefined"
			if _, err := fmt.Sscanf(l.State, "running:%d", &l.k); err != nil {
				l.k = 1 << 30
			}
		}
		list = append(list, l)
	}
	if n.spec.Template != nil {
		sort.SliceStable(list, func(i, j int) bool { return list[i].k < list[j].k })
	} else {
		slices.Reverse(list)
	}
	return list
}

// query answers which_children, count_children and get_childspec from a list.
func (p *player) query(n *node, s otp.Step, v any) any {
	answer := v.(otpList)
	list := answer.lines
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
		if n.spec.Template != nil {
			c["specs"] = 1
			c["active"] = len(list) - answer.miscount
			for _, l := range list {
				if l.State == "restarting" {
					c["active"]--
				}
			}
		}
		return c
	}
	for _, l := range list {
		run := p.latest[n.path+"/"+s.ID]
		if l.ID == s.ID || n.spec.Template != nil && run != nil && run.alive {
			return l.spec.Describe()
		}
	}
	return "error:not_found"
}
