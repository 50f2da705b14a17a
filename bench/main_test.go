package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/bench/contest"
	"github.com/coppice-go/coppice/bench/contestants"
	"github.com/coppice-go/coppice/bench/results"
	"github.com/coppice-go/coppice/bench/runner"
	"github.com/coppice-go/coppice/bench/workloads"
)

// TestMain makes the test's own executable serve the hidden subcommands.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == runner.Cell || os.Args[1] == workloads.Spew) {
		contestants.All = append(contestants.All, chatty)
		main()
		return
	}
	code := m.Run()
	contestants.Cleanup()
	os.Exit(code)
}

// chatty prints to stdout, as some libraries do.
var chatty = &contestants.Contestant{Name: "chatty", Adapter: chattyAdapter{contestants.Find("floor").Adapter}}

type chattyAdapter struct{ contest.Adapter }

func (a chattyAdapter) Start(spec *contest.Spec) (contest.Tree, error) {
	fmt.Println("*** welcome ***")
	return a.Adapter.Start(spec)
}

// What a contestant prints does not spoil its answer.
func TestAContestantThatPrints(t *testing.T) {
	f, err := parseRun([]string{"-workloads", "escalation", "-n", "2", "-runs", "1", "-max-runs", "1"}, &bytes.Buffer{})
	require.NoError(t, err)
	f.plan.Contestants = []*contestants.Contestant{chatty}
	f.plan.Progress = newProgress(&bytes.Buffer{})
	set, err := f.plan.Run(context.Background(), results.Here())
	require.NoError(t, err)
	require.Equal(t, "restart", set.Rows[0].Metric, set.Rows[0].None)
}

// children are the workloads that any supervisor has.
const children = "start-stop memory idle crash-error crash-panic storm-error storm-panic"

// has are the workloads that a contestant does not have none of.
var has = map[string]string{
	"coppice":         children + " one-for-all rest-for-one escalation churn snapshot message process output-lines output-bytes",
	"coppice-dynamic": children + " churn snapshot",
	"suture":          children + " escalation churn snapshot",
	"protoactor":      "start-stop memory idle crash-panic storm-panic one-for-all escalation churn snapshot message",
	"floor":           children + " one-for-all rest-for-one escalation churn snapshot message process output-lines output-bytes",
	"otp":             children + " one-for-all rest-for-one escalation churn snapshot message",
	"otp-dynamic":     children + " churn snapshot",
}

// Every contestant yields every figure of every workload that it has, and says of
// the others that it has none.
func TestEveryContestantDoesEveryWorkload(t *testing.T) {
	file := filepath.Join(t.TempDir(), "results.jsonl")
	var out, progress bytes.Buffer
	err := run(context.Background(), []string{"-n", "4", "-runs", "1", "-max-runs", "1", "-length", "20ms", "-out", file}, &out, &progress)
	require.NoError(t, err)
	set, err := results.ReadFile(file)
	require.NoError(t, err)
	require.Empty(t, set.About.Partial)
	for _, c := range contestants.All {
		if c.Program != nil {
			if _, err := c.Program.Version(); err != nil {
				row, ok := set.Find("start-stop", c.Name, 4, "")
				require.True(t, ok)
				require.Equal(t, err.Error(), row.None)
				t.Logf("%s not tested: %v", c.Name, err)
				continue
			}
		}
		for _, w := range workloads.All {
			none, lacks := set.Find(w.Name, c.Name, 4, "")
			if !strings.Contains(" "+has[c.Name]+" ", " "+w.Name+" ") {
				require.True(t, lacks, "%s %s", c.Name, w.Name)
				require.Equal(t, "has none", none.None, "%s %s", c.Name, w.Name)
				continue
			}
			require.False(t, lacks, "%s %s: %s", c.Name, w.Name, none.None)
			for _, m := range w.Metrics {
				if c.Program != nil && m.Name == "stack" {
					continue // it is in the heap
				}
				row, ok := set.Find(w.Name, c.Name, 4, m.Name)
				require.True(t, ok, "%s %s %s", c.Name, w.Name, m.Name)
				require.Equal(t, m.Unit, row.Unit)
				require.Equal(t, 1, row.Runs)
			}
		}
	}
	require.Contains(t, out.String(), "### start-stop")
	require.Contains(t, progress.String(), "1  start-stop")
}

func TestMistakesAreNamed(t *testing.T) {
	for _, c := range []struct {
		args string
		want string
	}{
		{"frobnicate", `unknown command "frobnicate"`},
		{"-workloads nosuch", `-workloads: no workload matches "nosuch"; there are start-stop, `},
		{"-contestants nosuch", `-contestants: no contestant matches "nosuch"; there are coppice, `},
		{"-workloads (", "-workloads: error parsing regexp"},
		{"-n ten", `"ten" is not a number such as 10, 10k or 1M`},
		{"-n 10,,20", `"" is not a number`},
		{"-n 0", `"0" is not a number`},
		{"-n 5000M", `"5000M" is not a number`},
		{"-runs 0", "-runs: 0, must be at least 1"},
		{"-runs 5 -max-runs 4", "-max-runs: 4, must be at least -runs, 5"},
		{"-spread 0", "-spread: 0, must be positive"},
		{"-length 1ms", "-length: 1ms, must be at least 10ms"},
		{"-budget -1s", "-budget: -1s, must be positive"},
		{"-timeout -1s", "-timeout: -1s, must be positive"},
		{"-out ", "-out: must name a file"},
		{"-out /no/such/directory/r.jsonl", "/no/such/directory"},
		{"-plots /proc", "cannot write /proc/plot.svg: "},
		{"-plots main.go", "main.go: not a directory"},
		{"-nosuch", "flag provided but not defined: -nosuch"},
		{"more", `unknown command "more"`},
		{"run more", `run: unexpected argument "more"`},
		{"table -in /no/such/file", "/no/such/file"},
		{"doc", "doc: -out must name the file to write"},
		{"cell", "cell: wants the name of a contestant"},
		{"cell nosuch", `no contestant "nosuch"`},
		{"cell otp", `no contestant "otp"`},
		{"spew x", "x"},
	} {
		t.Run(c.args, func(t *testing.T) {
			err := run(context.Background(), strings.Split(c.args, " "), &bytes.Buffer{}, &bytes.Buffer{})
			require.ErrorContains(t, err, c.want)
		})
	}
}

// A results file that cannot be written or that holds nothing is told of at once.
func TestResultsFiles(t *testing.T) {
	dir := t.TempDir()
	require.ErrorContains(t, run(context.Background(), []string{"-out", dir}, &bytes.Buffer{}, &bytes.Buffer{}), "is a directory")
	empty, doc := filepath.Join(dir, "empty.jsonl"), filepath.Join(dir, "doc.md")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	for _, command := range []string{"table", "plot -dir " + dir, "doc -out " + doc} {
		err := run(context.Background(), append(strings.Fields(command), "-in", empty), &bytes.Buffer{}, &bytes.Buffer{})
		require.ErrorContains(t, err, "empty.jsonl: has no rows", command)
	}
	require.NoFileExists(t, doc)
}

// What was measured before is there until something else is.
func TestOldResultsAreKept(t *testing.T) {
	file := filepath.Join(t.TempDir(), "results.jsonl")
	require.NoError(t, os.WriteFile(file, []byte("old"), 0o600))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := run(ctx, []string{"-contestants", "floor", "-workloads", "escalation", "-out", file}, &bytes.Buffer{}, &bytes.Buffer{})
	require.ErrorContains(t, err, "nothing was measured")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "old", string(text))
	left, err := os.ReadDir(filepath.Dir(file))
	require.NoError(t, err)
	require.Len(t, left, 1)
}

// The tables are printed though the file is gone.
func TestTheFileCannotBeWrittenAnyMore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dir")
	require.NoError(t, os.Mkdir(dir, 0o700))
	var progress interrupting
	progress.cancel = func() { _ = os.RemoveAll(dir) }
	var out bytes.Buffer
	err := run(context.Background(), []string{
		"-contestants", "floor", "-workloads", "escalation", "-n", "2", "-out", filepath.Join(dir, "r.jsonl"),
	}, &out, &progress)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.Contains(t, out.String(), "### escalation")
}

func TestSeveralNumbers(t *testing.T) {
	f, err := parseRun([]string{"-n", "1k,10,10", "-n", "2"}, &bytes.Buffer{})
	require.NoError(t, err)
	require.Equal(t, []int{2, 10, 1000}, f.plan.N)
}

func TestNumbers(t *testing.T) {
	got, err := parseNumbers("10, 10k,1M")
	require.NoError(t, err)
	require.Equal(t, []int{10, 10_000, 1_000_000}, got)
}

func TestTheCommandThatRepeatsARun(t *testing.T) {
	f, err := parseRun([]string{"-full", "-workloads", "crash|storm", "-out", "x.jsonl", "--plots=dir", "-n=10k"}, &bytes.Buffer{})
	require.NoError(t, err)
	require.Equal(t, environment()+repeats(nil)+" -full -workloads 'crash|storm' -n=10k", f.command)
	t.Setenv("GOMAXPROCS", "1")
	t.Setenv("GOGC", "off")
	f, err = parseRun(nil, &bytes.Buffer{})
	require.NoError(t, err)
	require.Contains(t, f.command, "GOGC=off GOMAXPROCS=1 go run ")
}

func TestListSaysWhatEverythingMeans(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(context.Background(), []string{"-list"}, &out, &bytes.Buffer{}))
	for _, c := range contestants.All {
		require.Contains(t, out.String(), c.Name)
	}
	for _, w := range workloads.All {
		require.Contains(t, out.String(), w.Name)
		for _, m := range w.Metrics {
			require.Contains(t, out.String(), m.About)
		}
	}
}

// A run that is interrupted keeps what it has, and says so.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	file := filepath.Join(t.TempDir(), "results.jsonl")
	var progress interrupting
	progress.cancel = func() { cancel(context.Canceled) }
	err := run(ctx, []string{"-contestants", "floor", "-workloads", "escalation", "-n", "2,3", "-out", file}, &bytes.Buffer{}, &progress)
	require.NoError(t, err)
	set, err := results.ReadFile(file)
	require.NoError(t, err)
	require.Len(t, set.Rows, 1)
	require.Equal(t, 1, set.Rows[0].Runs)
	require.Equal(t, context.Canceled.Error(), set.About.Partial)
	require.Contains(t, progress.String(), "ended early")
}

// interrupting interrupts at the first line that is written to it.
type interrupting struct {
	bytes.Buffer
	cancel func()
}

func (w *interrupting) Write(b []byte) (int, error) {
	w.cancel()
	return w.Buffer.Write(b)
}

// The document is written from a results file and a baseline.
func TestDoc(t *testing.T) {
	dir := t.TempDir()
	file, baseline, doc := filepath.Join(dir, "r.jsonl"), filepath.Join(dir, "baseline.txt"), filepath.Join(dir, "performance.md")
	require.NoError(t, run(context.Background(), []string{
		"-workloads", "escalation", "-contestants", "floor|coppice$", "-n", "2,10", "-runs", "1", "-max-runs", "1",
		"-out", file, "-plots", filepath.Join(dir, "plots"),
	}, &bytes.Buffer{}, &bytes.Buffer{}))
	require.FileExists(t, filepath.Join(dir, "plots", "escalation-restart.png"))
	require.NoError(t, os.WriteFile(baseline, []byte("BenchmarkRestart-2  1000  2500 ns/op  900 B/op  12 allocs/op\n"), 0o600))
	require.NoError(t, run(context.Background(), []string{"doc", "-in", file, "-out", doc, "-baseline", baseline}, &bytes.Buffer{}, &bytes.Buffer{}))
	text, err := os.ReadFile(doc)
	require.NoError(t, err)
	for _, want := range []string{
		" -workloads escalation -contestants 'floor|coppice$'", "### escalation",
		"![performance/escalation-restart.svg](performance/escalation-restart.svg)", "| Restart | 2500 | 900 | 12.0 |",
	} {
		require.Contains(t, string(text), want)
	}
	require.FileExists(t, filepath.Join(dir, "performance", "escalation-restart.svg"))
}
