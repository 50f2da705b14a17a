// Package contestants has the ways to supervise that are compared.
package contestants

import (
	"cmp"
	"context"
	"os/exec"
	"time"

	"github.com/coppice-go/coppice/bench/contest"
)

// patience is how long a contestant that bounds its stop may take for it.
const patience = 10 * time.Minute

// Contestant is one of them: an Adapter, or a Program.
type Contestant struct {
	Name    string
	About   string
	Module  string // what its version is that of; default: Name
	Adapter contest.Adapter
	Program Program
}

// Versioned is the name that its version goes by: the path of a module, in Go.
func (c *Contestant) Versioned() string { return cmp.Or(c.Module, c.Name) }

// Program is a contestant that is not written in Go: it runs as a process that
// reads one contest.Request and writes contest.Samples.
type Program interface {
	// Version is what is compared. An error says what is missing, and how to get it.
	Version() (string, error)
	// Command is what to run.
	Command(ctx context.Context) (*exec.Cmd, error)
}

const protoModule = "github.com/asynkron/protoactor-go" // which Coppice stands on

// All contestants, in the order in which they take turns.
var All = []*Contestant{
	{Name: "coppice", About: "this library: children of a spec", Module: protoModule, Adapter: coppice{}},
	{Name: "coppice-dynamic", About: "the same: instances of a dynamic supervisor", Adapter: coppice{dynamic: true}},
	{Name: "suture", About: "github.com/thejerf/suture/v4: one strategy, one-for-one", Module: "github.com/thejerf/suture/v4", Adapter: sutureAdapter{}},
	{Name: "protoactor", About: "protoactor-go's own supervision: actors under an actor, restarted in place", Module: protoModule, Adapter: protoAdapter{}},
	{Name: "floor", About: "goroutines, channels and recover, by hand", Adapter: floor{}},
	{Name: "otp", About: "Erlang/OTP's supervisor with children of its spec", Module: "otp", Program: otp{}},
	{Name: "otp-dynamic", About: "Erlang/OTP's supervisor as simple_one_for_one", Module: "otp", Program: otp{dynamic: true}},
}

// Find returns the contestant of that name, or nil.
func Find(name string) *Contestant {
	for _, c := range All {
		if c.Name == name {
			return c
		}
	}
	return nil
}
