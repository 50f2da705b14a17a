// Package runner takes measurements: every cell, one workload with one n by one
// contestant, in a process of its own, the contestants in turn, again and again
// until the figures are steady.
package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/coppice-go/coppice/bench/contest"
	"github.com/coppice-go/coppice/bench/contestants"
	"github.com/coppice-go/coppice/bench/workloads"
)

// Cell is the hidden subcommand of the program that takes one measurement by a
// contestant written in Go: it has the name of the contestant as its argument and
// speaks the protocol of package contest.
const Cell = "cell"

// ServeCell is what the subcommand does.
func ServeCell(name string) error {
	c := contestants.Find(name)
	if c == nil || c.Adapter == nil {
		return fmt.Errorf("no contestant %q", name)
	}
	var req contest.Request
	if err := json.NewDecoder(os.Stdin).Decode(&req); err != nil {
		return fmt.Errorf("request: %w", err)
	}
	return workloads.Answer(os.Stdout, c.Adapter, req)
}

// measure takes one measurement in a new process. none is why there is none to
// take.
func measure(ctx context.Context, c *contestants.Contestant, req contest.Request, timeout time.Duration) (samples []contest.Sample, none string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, errTimeout)
	defer cancel()
	cmd, err := command(ctx, c)
	if err != nil {
		return nil, "", err
	}
	line, err := json.Marshal(req)
	if err != nil {
		return nil, "", err
	}
	var out, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(append(line, '\n')), &out, &stderr
	cmd.WaitDelay = time.Second
	ownGroup(cmd)
	err = cmd.Run()
	if ctx.Err() != nil {
		return nil, "", context.Cause(ctx)
	}
	if err != nil {
		return nil, "", fmt.Errorf("%w: %s", err, firstLine(stderr.String()))
	}
	samples, none, err = contest.ReadSamples(&out)
	if err == nil && none == "" && len(samples) == 0 {
		err = fmt.Errorf("no figures: %s", firstLine(stderr.String()))
	}
	return samples, none, err
}

var errTimeout = errors.New("not done in time")

func command(ctx context.Context, c *contestants.Contestant) (*exec.Cmd, error) {
	if c.Program != nil {
		return c.Program.Command(ctx)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return exec.CommandContext(ctx, self, Cell, c.Name), nil
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}
