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
	answer := os.Stdout
	os.Stdout = os.Stderr // what a contestant prints is no answer
	return workloads.Answer(answer, c.Adapter, req)
}

// What is kept of what a cell writes.
const (
	mostAnswer = 1 << 20
	mostStderr = 64 << 10
)

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
	var out answer
	var stderr tail
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(append(line, '\n')), &out, &stderr
	cmd.WaitDelay = time.Second
	err = runGroup(cmd)
	switch {
	case out.much:
		return nil, "", errMuch
	case ctx.Err() != nil:
		return nil, "", because(context.Cause(ctx), stderr.text.String())
	case errors.Is(err, exec.ErrWaitDelay):
		return nil, "", errLeft
	case err != nil:
		return nil, "", because(err, stderr.text.String())
	}
	samples, none, err = contest.ReadSamples(&out.text)
	if err == nil && none == "" && len(samples) == 0 {
		err = because(errors.New("no figures"), stderr.text.String())
	}
	return samples, none, err
}

var (
	errTimeout = errors.New("not done in time")
	errMuch    = fmt.Errorf("answers with more than %d bytes", mostAnswer)
	errLeft    = errors.New("left processes behind that hold its output open")
)

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

// because adds the line of stderr that tells most: that of a Go program's panic, or
// the last one.
func because(err error, stderr string) error {
	why := ""
	for line := range strings.Lines(stderr) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			why = line
			break
		}
		if line != "" {
			why = line
		}
	}
	if why == "" {
		return err
	}
	return fmt.Errorf("%w: %s", err, why)
}

// answer refuses more than an answer can be. It embeds nothing: a ReadFrom would go
// around Write.
type answer struct {
	text bytes.Buffer
	much bool
}

func (a *answer) Write(b []byte) (int, error) {
	if a.much = a.much || a.text.Len()+len(b) > mostAnswer; a.much {
		return 0, errMuch
	}
	return a.text.Write(b)
}

// tail keeps the end of what is written.
type tail struct{ text bytes.Buffer }

func (t *tail) Write(b []byte) (int, error) {
	n, err := t.text.Write(b)
	t.text.Next(max(0, t.text.Len()-mostStderr))
	return n, err
}
