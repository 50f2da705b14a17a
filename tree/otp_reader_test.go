package tree_test

import (
	"errors"
	"path"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/tree"
	"github.com/coppice-go/coppice/tree/internal/otp"
)

// otpReader makes a trace of a tree's events.
type otpReader struct {
	p     *otpPlayer
	trace []otp.Event

	current    map[runKey]*otpRun
	seen       map[runKey]int         // of its runs
	last       map[string]*otpRun     // by path, what was started there last; nil: nothing
	ended      map[string]string      // by path, how it ended, until that is reported
	answers    map[string][]string    // by request and path, in order
	startError *tree.Event            // the last one
	ending     map[string]tree.Rule   // by path of a supervisor, why it ends
	owed       map[string]*tree.Event // by path of a dynamic supervisor, an instance that was killed in its end
	// OTP 25 goes on counting an instance that was terminated while restarting: by
	// path of the supervisor.
	miscount map[string]int
}

// read reads the events that have come.
func (r *otpReader) read() {
	r.p.mu.Lock()
	defer r.p.mu.Unlock()
	for i := range r.p.events {
		r.event(&r.p.events[i])
	}
	r.p.events = nil
}

func (r *otpReader) event(e *tree.Event) {
	key := runKey{e.Path, e.Incarnation}
	switch e.Kind {
	case tree.SupervisorEnding:
		r.ending[e.Path] = e.Rule
	case tree.ChildStarting:
		r.current[key] = nil
		if runs := r.p.runs[key]; r.seen[key] < len(runs) {
			r.current[key] = runs[r.seen[key]]
			r.seen[key]++
		}
	}
	run := r.current[key]
	if run == nil && e.Kind != tree.RequestDone {
		return // the root, or a child that could not even try
	}
	switch e.Kind {
	case tree.ChildStarting:
		r.starting(e, run)
	case tree.ChildStarted:
		r.last[e.Path] = run
		r.report(e, "progress", "")
	case tree.ChildIgnored:
		r.last[e.Path] = nil
	case tree.StartFailed:
		r.last[e.Path] = nil
		if run.spec.Supervisor() && run.out == "ok" {
			r.add("sup_exit", "path", e.Path, "k", run.k, "reason", failure(e.Err))
		}
		r.report(e, "start_error", failure(e.Err))
		r.startError = e
	case tree.ChildEnded:
		r.childEnded(e, run)
	case tree.ChildStuck:
		r.add("exit", "path", run.where, "k", run.k, "reason", "killed")
		if sup := path.Dir(e.Path); r.p.dynamic[sup] != nil && r.ending[sup] != 0 {
			r.owed[sup] = e // one for all
		} else {
			r.report(e, "shutdown_error", "killed")
		}
	case tree.RestartPlanned, tree.NotRestarted, tree.GaveUp:
		if word, ok := r.ended[e.Path]; ok {
			delete(r.ended, e.Path)
			if reported(run.spec, word) {
				r.report(e, "child_terminated", word)
			}
		}
		if e.Kind == tree.GaveUp {
			r.report(e, "shutdown", "reached_max_restart_intensity")
		}
	case tree.RequestDone:
		r.requestDone(e)
	}
}

func (r *otpReader) add(t string, fields ...any) { r.trace = append(r.trace, otp.New(t, fields...)) }

// supEnded reports what was kept for the end.
func (r *otpReader) supEnded(sup string) {
	if e := r.owed[sup]; e != nil {
		r.report(e, "shutdown_error", "killed")
	}
	delete(r.owed, sup)
	delete(r.ending, sup)
}

func (r *otpReader) report(e *tree.Event, kind, reason string) {
	sup := path.Dir(e.Path)
	child := path.Base(e.Path)
	if t := r.p.dynamic[sup]; t != nil {
		if child = t.ID; kind == "progress" {
			return
		}
	}
	line := otp.New("report", "sup", sup, "kind", kind, "child", child)
	if reason != "" {
		line["reason"] = reason
	}
	r.trace = append(r.trace, line)
}

// unreport takes a failed start out of the reports if the one who asked for it was
// told.
func (r *otpReader) unreport(e *tree.Event) {
	if n := len(r.trace) - 1; r.trace[n]["kind"] == "start_error" && r.startError.Path == e.Path && errors.Is(e.Err, r.startError.Err) {
		r.trace = r.trace[:n]
	}
}

func (r *otpReader) starting(e *tree.Event, run *otpRun) {
	if run.spec.Supervisor() && run.out == "ok" {
		r.miscount[e.Path] = 0
		r.add("sup_start", "path", e.Path, "k", run.k)
		return
	}
	r.add("start", "path", run.where, "k", run.k, "out", run.out)
}

func (r *otpReader) childEnded(e *tree.Event, run *otpRun) {
	word := run.word
	if errors.Is(e.Err, actor.ErrKilled) {
		word = "killed"
	}
	if run.spec.Supervisor() {
		word = "shutdown"
		run.crashed = r.ending[e.Path] != tree.RuleRequest
		r.supEnded(e.Path)
		r.add("sup_exit", "path", e.Path, "k", run.k, "reason", word)
	} else {
		r.add("exit", "path", run.where, "k", run.k, "reason", word)
	}
	if run.crashed {
		r.ended[e.Path] = word
	}
}

// requestDone keeps what the answer says of the child: it may be another one by
// the time it is read.
func (r *otpReader) requestDone(e *tree.Event) {
	key := e.Request + " " + e.Path
	if e.Request == "start instance" {
		key = e.Request + " " + path.Dir(e.Path) + "/*"
	}
	if e.Err != nil && !errors.Is(e.Err, actor.ErrStuck) {
		r.unreport(e)
		return
	}
	answer := "ok"
	switch e.Request {
	case "start child", "restart child", "start instance":
		answer = "ok:undefined"
		if run := r.last[e.Path]; run != nil {
			answer = "ok:running:" + itoa(run.k)
		}
	case "terminate child":
		if r.p.dynamic[path.Dir(e.Path)] != nil && r.last[e.Path] == nil {
			answer = "ok, it was restarting"
		}
	}
	if r.answers == nil {
		r.answers = map[string][]string{}
	}
	r.answers[key] = append(r.answers[key], answer)
}

// answer is the oldest answer not taken yet.
func (r *otpReader) answer(op, where string) any {
	key := op + " " + where
	list := r.answers[key]
	if len(list) == 0 {
		return "not told"
	}
	r.answers[key] = list[1:]
	if list[0] == "ok, it was restarting" {
		r.miscount[path.Dir(where)]++
		return "ok"
	}
	return list[0]
}
