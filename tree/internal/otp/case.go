// Package otp reads traces of the real Erlang/OTP supervisor and compares them
// with others. The README beside the traces, in tree/testdata/otp, tells their
// format. It is for tests.
package otp

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Case is a tree, what is done to it, and what OTP did.
type Case struct {
	Name  string
	Tree  *Spec
	Steps []Step
	Trace []Event
}

// Spec is a supervisor or a worker.
type Spec struct {
	Kind, ID, Strategy, Restart string
	Intensity, Period           *int
	AutoShutdown                string `json:"auto_shutdown"`
	Significant, Shutdown       any
	NoStart                     bool `json:"no_start"`
	Children                    []*Spec
	Template                    *Spec
	Start                       []string
	Stop                        struct {
		Mode string
		MS   int
	}
	StopExit string `json:"stop_exit"`

	K int `json:"-"` // invocations of the start function
}

// Step is something done to the tree.
type Step struct {
	Op, Path, Reason, Hold, Force, Sup, ID string
	MS                                     int
	Spec                                   *Spec
	Queue                                  []Step
}

// Event is a line of a trace, as JSON reads it.
type Event map[string]any

// New makes an event of the kind t with these names and values in turn.
func New(t string, fields ...any) Event {
	e := Event{"t": t}
	for i := 0; i < len(fields); i += 2 {
		e[fields[i].(string)] = fields[i+1]
	}
	return e
}

// String is the event with its fields in order.
func (e Event) String() string {
	text, err := json.Marshal(e)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Load reads the cases of the file named by the variable OTP_VECTORS, or of those
// in dir.
func Load(dir string) ([]*Case, error) {
	files := []string{filepath.Join(dir, "suite.jsonl"), filepath.Join(dir, "random.jsonl")}
	if name := os.Getenv("OTP_VECTORS"); name != "" {
		files = []string{name}
	}
	var cases []*Case
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 64<<20)
		for n := 1; lines.Scan(); n++ {
			if strings.TrimSpace(lines.Text()) == "" {
				continue
			}
			c := new(Case)
			if err := json.Unmarshal(lines.Bytes(), c); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", name, n, err)
			}
			cases = append(cases, c)
		}
		if err := lines.Err(); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return cases, nil
}

// Begin is the line that announces a step.
func (s *Step) Begin(i int) Event {
	e := New("step", "i", i, "op", s.Op)
	for name, value := range map[string]string{"sup": s.Sup, "id": s.ID, "path": s.Path, "reason": s.Reason} {
		if value != "" {
			e[name] = value
		}
	}
	return e
}

// Enter counts an invocation of the start function and returns its number and its
// scripted outcome.
func (s *Spec) Enter() (k int, out string) {
	s.K++
	if s.K <= len(s.Start) {
		return s.K, s.Start[s.K-1]
	}
	return s.K, "ok"
}

// Supervisor tells whether s is one.
func (s *Spec) Supervisor() bool { return s.Kind == "supervisor" }

// Limit is the intensity and its period, or OTP's defaults.
func (s *Spec) Limit() (intensity int, period time.Duration) {
	intensity, period = 1, 5*time.Second
	if s.Intensity != nil {
		intensity = *s.Intensity
	}
	if s.Period != nil {
		period = time.Duration(*s.Period) * time.Second
	}
	return intensity, period
}

// Find returns the spec at a path, such as root/a/b, or root/t for a template.
func (s *Spec) Find(where string) *Spec {
	if where == s.ID {
		return s
	}
	_, below, _ := strings.Cut(where, "/")
	for _, c := range append([]*Spec{s.Template}, s.Children...) {
		if c != nil && (below == c.ID || strings.HasPrefix(below, c.ID+"/")) {
			return c.Find(below)
		}
	}
	return nil
}

// Describe is the spec with its defaults filled in, as get_childspec shows it.
func (s *Spec) Describe() any {
	d := map[string]any{"id": s.ID, "type": s.Kind, "restart": s.Restart, "shutdown": s.Shutdown, "significant": s.Significant == true}
	if s.Restart == "" {
		d["restart"] = "permanent"
	}
	if s.Shutdown == nil {
		d["shutdown"] = any(5000)
		if s.Supervisor() {
			d["shutdown"] = "infinity"
		}
	}
	return d
}
