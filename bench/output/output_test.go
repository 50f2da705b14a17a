// Package output measures every way that the output of a process can take. It has no
// code of its own; the workloads compare the main ones with others.
package output

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/coppice-go/coppice/proc"
	"github.com/coppice-go/coppice/proc/rotate"
)

const linesEnv = "COPPICE_BENCH_LINES" // set: this is a program that writes so many lines

func TestMain(m *testing.M) {
	if n, err := strconv.Atoi(os.Getenv(linesEnv)); err == nil {
		writeLines(n)
		return
	}
	os.Exit(m.Run())
}

// writeLines writes n lines of 80 bytes, as fast as it can.
func writeLines(n int) {
	block := bytes.Repeat(append(bytes.Repeat([]byte("x"), 79), '\n'), 800)
	for n > 0 {
		k := min(n, 800)
		if _, err := os.Stdout.Write(block[:80*k]); err != nil {
			os.Exit(1)
		}
		n -= k
	}
}

// nowhere is a handler that takes every record.
type nowhere struct{}

func (nowhere) Enabled(context.Context, slog.Level) bool  { return true }
func (nowhere) Handle(context.Context, slog.Record) error { return nil }
func (nowhere) WithAttrs([]slog.Attr) slog.Handler        { return nowhere{} }
func (nowhere) WithGroup(string) slog.Handler             { return nowhere{} }

type counted struct{ n int }

func (c *counted) Write(b []byte) (int, error) { c.n += len(b); return len(b), nil }

// BenchmarkOutput reads lines of 80 bytes from a process, one way after the other
// within each iteration. Of the rates to a bare bufio.Scanner on the same pipe it
// tells the median, the lowest and the highest.
func BenchmarkOutput(b *testing.B) {
	const lines = 2_000_000
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	env := fmt.Sprintf("%s=%d", linesEnv, lines)
	command := func(set func(*proc.Command)) func() error {
		return func() error {
			c := &proc.Command{Path: self, Env: []string{env}}
			set(c)
			return c.Serve(context.Background())
		}
	}
	file := &rotate.File{Path: filepath.Join(b.TempDir(), "log"), MaxSize: 50 << 20, MaxFiles: 1}
	ways := []struct {
		name string
		read func() error
	}{
		{"scanner", func() error { return scan(self, env) }},
		{"log", command(func(c *proc.Command) { c.Logger = slog.New(nowhere{}) })},
		{"log-drop", command(func(c *proc.Command) { c.Logger, c.Overflow = slog.New(nowhere{}), proc.Drop })},
		{"text", command(func(c *proc.Command) { c.Logger = slog.New(slog.NewTextHandler(io.Discard, nil)) })},
		{"writer", command(func(c *proc.Command) { c.Stdout = &counted{} })},
		{"writer-drop", command(func(c *proc.Command) { c.Stdout, c.Overflow = &counted{}, proc.Drop })},
		{"file", command(func(c *proc.Command) { c.Stdout = file })},
	}
	// The guardian of the processes stays for as long as one of them.
	ctx, cancel := context.WithCancel(context.Background())
	kept := make(chan error)
	go func() { kept <- (&proc.Command{Path: "sleep", Args: []string{"1000"}}).Serve(ctx) }()
	defer func() { cancel(); <-kept }()

	ratios := make([][]float64, len(ways))
	for b.Loop() {
		var bare time.Duration
		for i, w := range ways {
			begun := time.Now()
			if err := w.read(); err != nil {
				b.Fatal(w.name, err)
			}
			took := time.Since(begun)
			if i == 0 {
				bare = took
			}
			ratios[i] = append(ratios[i], bare.Seconds()/took.Seconds())
			b.Logf("%s: %.0f ns/line", w.name, float64(took.Nanoseconds())/lines)
		}
	}
	for i, w := range ways[1:] {
		r := ratios[i+1]
		slices.Sort(r)
		b.ReportMetric(r[0], w.name+"-low")
		b.ReportMetric(r[len(r)/2], w.name+"/scanner")
		b.ReportMetric(r[len(r)-1], w.name+"-high")
	}
	b.ReportMetric(0, "ns/op")
}

func scan(self, env string) error {
	c := exec.Command(self)
	c.Env = append(os.Environ(), env)
	out, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	n := 0
	for s := bufio.NewScanner(out); s.Scan(); {
		n += len(s.Bytes())
	}
	return c.Wait()
}
