package proc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/coppice-go/coppice/proc/internal/keeper"
)

// Caller hands a request to the child at a path. A *tree.Tree is one, and its Call
// tells the errors that every request may have.
type Caller interface {
	Call(ctx context.Context, path string, request any) (any, error)
}

// Scope says which processes of a child get a signal.
type Scope uint8

const (
	// Group is the process and those it started, but for those that have left its
	// group.
	Group Scope = iota
	// Leader is the process itself.
	Leader
	// All is everything that descends from the process.
	All
)

func (s Scope) keeper() (keeper.Scope, error) {
	switch s {
	case Group:
		return keeper.Group, nil
	case Leader:
		return keeper.Leader, nil
	case All:
		return keeper.All, nil
	}
	return 0, fmt.Errorf("no such scope: %d", s)
}

type (
	signalRequest struct {
		signal syscall.Signal
		scope  Scope
	}
	reloadRequest struct{}
	tailRequest   struct{ lines int }
	sampleRequest struct{}
	outputRequest struct{}
)

// Signal sends a signal to the process at path. It is os.ErrProcessDone if there
// is nobody to get it. What the process does then is its own business: its end is
// a failure like any other. To stop it, ask the tree.
func Signal(ctx context.Context, t Caller, path string, signal syscall.Signal, scope Scope) error {
	_, err := t.Call(ctx, path, signalRequest{signal, scope})
	return err
}

// Reload has the process at path read its configuration again, in the way that
// Command.Reload says. It returns when the signal was sent or the program has
// ended, with that one's error if it has failed; with Await, when the process is
// done, with an error if ctx or the process ends before.
func Reload(ctx context.Context, t Caller, path string) error {
	_, err := t.Call(ctx, path, reloadRequest{})
	return err
}

// Tail returns the last lines of output of the process at path, of both streams,
// the oldest first: n at most, and no more than Command.TailLines.
func Tail(ctx context.Context, t Caller, path string, n int) ([]string, error) {
	answer, err := t.Call(ctx, path, tailRequest{n})
	lines, _ := answer.([]string)
	return lines, err
}

// Written is what a process has written to one stream. It is nothing for a stream
// that is a file.
type Written struct {
	Bytes        int64 `json:"bytes"`         // read from it
	DroppedBytes int64 `json:"dropped_bytes"` // of these; see Overflow and Opener
	DroppedLines int64 `json:"dropped_lines"`
}

// Output returns what the process at path has written since its start.
func Output(ctx context.Context, t Caller, path string) (stdout, stderr Written, err error) {
	answer, err := t.Call(ctx, path, outputRequest{})
	w, _ := answer.([2]Written)
	return w[0], w[1], err
}

// Usage is what a process and all that descends from it use at a moment.
type Usage struct {
	Processes int           `json:"processes"`
	Threads   int           `json:"threads"`
	Files     int           `json:"files"`     // open descriptors, of those processes that may be looked at
	RSS       int64         `json:"rss_bytes"` // resident memory; pages that are shared count for each
	CPU       time.Duration `json:"cpu_ns"`    // of the living, and of those whose end they have waited for
}

// Sample measures the process at path, and all that descends from it, now. It
// costs a look at each of them, and nothing while nobody asks. Where that is not
// possible, beside Linux, it is errors.ErrUnsupported.
func Sample(ctx context.Context, t Caller, path string) (Usage, error) {
	answer, err := t.Call(ctx, path, sampleRequest{})
	u, _ := answer.(Usage)
	return u, err
}

// Reloading says how a process is told to read its configuration again.
type Reloading struct {
	// Signal is sent to the process itself. 0: SIGHUP.
	Signal syscall.Signal

	// Command is a program and its arguments, run instead, with the directory,
	// environment and user of the process, and its pid in MAINPID. It is killed when
	// its caller's context, or the process, ends, or the process is to stop.
	Command []string

	// Await gives the process a NOTIFY_SOCKET, at which it says RELOADING=1 when it has
	// begun and READY=1 when it is done; Reload waits for that. A RELOADING=1 whose
	// MONOTONIC_USEC is before the request does not count.
	Await bool
}

func (r *Reloading) validate() error {
	switch {
	case r.Signal != 0 && r.Command != nil:
		return errors.New("Signal and Command are both set")
	case r.Signal < 0 || r.Signal > maxSignal:
		return fmt.Errorf("Signal: no such signal: %d", int(r.Signal))
	}
	return validateWords(r.Command)
}

// validateWords checks a program and its arguments; nil: there is none.
func validateWords(words []string) error {
	if words != nil && (len(words) == 0 || words[0] == "") {
		return errors.New("Command: no program")
	}
	for i, w := range words {
		if strings.ContainsRune(w, 0) {
			return fmt.Errorf("Command[%d]: contains a NUL byte", i)
		}
	}
	return nil
}

// answer is the handler of requests.
func (p *process) answer(ctx context.Context, request any) (any, error) {
	switch r := request.(type) {
	case signalRequest:
		return nil, p.send(r.signal, r.scope)
	case reloadRequest:
		return nil, p.reload(ctx)
	case sampleRequest:
		u, err := p.child.Usage()
		return Usage(u), err
	case outputRequest:
		return p.written(), nil
	case tailRequest:
		lines, _ := p.tail.lines()
		return lines[max(0, len(lines)-max(0, r.lines)):], nil
	}
	return nil, fmt.Errorf("a process takes no %T", request)
}

func (p *process) send(signal syscall.Signal, to Scope) error {
	scope, err := to.keeper()
	if err != nil {
		return err
	}
	if signal < 0 || signal > maxSignal {
		return fmt.Errorf("no such signal: %d", int(signal))
	}
	if err = p.child.Send(signal, scope); errors.Is(err, keeper.ErrGone) {
		err = os.ErrProcessDone
	}
	return err
}

// mainPID is for the environment of a program that has to do with the process. One
// that has ended has none: its number may be another's.
func (p *process) mainPID() []string {
	select {
	case <-p.child.Ended():
		return nil
	default:
		return []string{"MAINPID=" + strconv.Itoa(p.pid)}
	}
}

// beside runs a program in the way of the Command's, which is killed with all it
// has started when ctx ends.
func (p *process) beside(ctx context.Context, path string, args []string, env ...string) error {
	c := p.like(path, args, env...)
	// It is no part of the child, and gets nothing of the child's context.
	outside, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	err := c.Serve(outside)
	if err == nil {
		err = context.Cause(ctx)
	}
	return err
}

// like is a Command of that program in the way of p's.
func (p *process) like(path string, args []string, env ...string) *Command {
	own := p.cmd
	return &Command{
		Path: path, Args: args, Dir: own.Dir, Env: append(own.Env[:len(own.Env):len(own.Env)], env...), ClearEnv: own.ClearEnv,
		User: own.User, Group: own.Group, Grace: time.Nanosecond, Stdout: discard{}, Stderr: discard{}, Logger: p.log,
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }
