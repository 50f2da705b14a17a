package runner

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/bench/contestants"
	"github.com/coppice-go/coppice/bench/results"
	"github.com/coppice-go/coppice/bench/workloads"
)

// script is a contestant that is a shell script.
type script string

func (script) Version() (string, error) { return "1", nil }

func (s script) Command(ctx context.Context) (*exec.Cmd, error) {
	return exec.CommandContext(ctx, "/bin/sh", "-c", string(s)), nil
}

type missing struct{ script }

func (missing) Version() (string, error) { return "", errors.New("needs a thing") }

// log is a Progress that notes who was measured.
type log struct {
	cells  []string
	failed []error
}

func (l *log) Cell(pass, _, _ int, w *workloads.Workload, n int, contestant string) {
	l.cells = append(l.cells, strconv.Itoa(pass)+contestant+strconv.Itoa(n))
}
func (*log) Group(int, *workloads.Workload, int, []results.Row, time.Duration) {}
func (l *log) Failed(_ *workloads.Workload, _ int, _ string, err error) {
	l.failed = append(l.failed, err)
}

func plan(l *log, programs ...contestants.Program) *Plan {
	p := &Plan{
		Workloads: []*workloads.Workload{workloads.Find("escalation")}, N: []int{1, 2}, MinRuns: 2, MaxRuns: 4, Spread: 0.1,
		Length: time.Millisecond, CellTimeout: time.Minute, Progress: l,
	}
	for i, program := range programs {
		p.Contestants = append(p.Contestants, &contestants.Contestant{Name: string(rune('a' + i)), Program: program})
	}
	return p
}

func about() results.About { return results.About{Versions: make(map[string]string)} }

// row is a's with n = 1.
func row(value, least, most float64, runs int) results.Row {
	return results.Row{
		Workload: "escalation", Contestant: "a", N: 1, Metric: "restart", Unit: "us", Value: value, Min: least, Max: most, Runs: runs,
	}
}

const steady = `echo '{"metric":"restart","value":3}'`

func TestContestantsTakeTurns(t *testing.T) {
	var l log
	set, err := plan(&l, script(steady), script(steady)).Run(context.Background(), about())
	require.NoError(t, err)
	require.Equal(t, []string{"1a1", "1b1", "1a2", "1b2", "2b1", "2a1", "2b2", "2a2"}, l.cells)
	require.Equal(t, row(3, 3, 3, 2), set.Rows[0])
	require.Len(t, set.Rows, 4)
	require.Equal(t, map[string]string{"a": "1", "b": "1"}, set.About.Versions)
}

// Where there are many children the very first is a run more, which does not count.
func TestMemoryIsUsedBefore(t *testing.T) {
	file := filepath.Join(t.TempDir(), "count")
	counting := script(`echo >> ` + file + `; echo '{"metric":"start","value":'$(wc -l < ` + file + `)'}'`)
	var l log
	p := plan(&l, counting, script(`echo '{"metric":"start","value":1}'`))
	p.Workloads, p.N = []*workloads.Workload{workloads.Find("start-stop")}, []int{1}
	p.MaxRuns = 2
	set, err := p.Run(context.Background(), about())
	require.NoError(t, err)
	got, _ := set.Find("start-stop", "a", 1, "start")
	require.Equal(t, []float64{2, 3, 2}, []float64{got.Min, got.Max, float64(got.Runs)})
	require.Equal(t, []string{"1a1", "1b1", "2b1", "2a1"}, l.cells)
}

// As long as one of a group is not steady all of it goes on, up to the most.
func TestUntilItIsSteady(t *testing.T) {
	file := filepath.Join(t.TempDir(), "count")
	growing := script(`read line; case $line in *'"n":1,'*) echo >> ` + file + `;; esac
		echo '{"metric":"restart","value":'$(wc -l < ` + file + `)'}'`)
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	var l log
	set, err := plan(&l, growing, script(steady)).Run(context.Background(), about())
	require.NoError(t, err)
	got, ok := set.Find("escalation", "a", 1, "restart")
	require.True(t, ok)
	require.Equal(t, row(2.5, 1, 4, 4), got)
	got, _ = set.Find("escalation", "b", 1, "restart")
	require.Equal(t, 4, got.Runs)
}

func TestWhatHasNoFigures(t *testing.T) {
	for name, c := range map[string]struct {
		program contestants.Program
		none    string
	}{
		"has none":       {script(`echo '{"none":"has none"}'`), "has none"},
		"is missing":     {missing{}, "needs a thing"},
		"exits":          {script(`echo oops >&2; exit 3`), "failed: exit status 3: oops"},
		"an error":       {script(`echo '{"error":"oops"}'`), "failed: contestant: oops"},
		"no figures":     {script(`exit 0`), "failed: no figures"},
		"no JSON":        {script(`echo oops`), `failed: answer "oops": invalid character 'o' looking for beginning of value`},
		"a wrong metric": {script(`echo '{"metric":"x","value":1}'`), `failed: escalation has no metric "x"`},
		"no metric":      {script(`echo '{"value":1}'`), `failed: answer "{\"value\":1}" names no metric`},
		"no value":       {script(`echo '{"metric":"restart","value":null}'`), `failed: answer "{\"metric\":\"restart\",\"value\":null}" has no value`},
		"twice":          {script(`echo '{"metric":"restart","value":3}'; ` + steady), `failed: metric "restart" comes twice`},
		"panics":         {script(`echo log >&2; echo panic: oops >&2; echo goroutine 1 >&2; exit 2`), "failed: exit status 2: panic: oops"},
		"a traceback":    {script(`echo Traceback >&2; echo ValueError >&2; exit 1`), "failed: exit status 1: ValueError"},
		"is killed":      {script(`kill -9 $$`), "failed: signal: killed"},
		"many lines":     {script(`printf %s '{"error":"oops\n\n| and"}'`), "failed: contestant: oops | and"},
		"a flood":        {script(`yes`), "failed: answers with more than 1048576 bytes"},
		"a flood of log": {script(`yes | head -c 1000000 >&2; echo oops >&2; exit 3`), "failed: exit status 3: oops"},
	} {
		t.Run(name, func(t *testing.T) {
			var l log
			set, err := plan(&l, c.program, script(steady)).Run(context.Background(), about())
			require.NoError(t, err)
			require.Equal(t, results.Row{Workload: "escalation", Contestant: "a", N: 1, None: c.none}, set.Rows[0])
			row, ok := set.Find("escalation", "b", 2, "restart")
			require.True(t, ok, "the others go on")
			require.Equal(t, 2, row.Runs)
		})
	}
}

func TestTimeout(t *testing.T) {
	var l log
	p := plan(&l, script("echo waiting >&2; exec sleep 1000"))
	p.CellTimeout, p.N = 2*time.Second, []int{1}
	set, err := p.Run(context.Background(), about())
	require.NoError(t, err)
	require.Equal(t, "failed: not done in time: waiting", set.Rows[0].None)
	require.Len(t, l.failed, 1)
}

// The first figure is what tells whether a cell is steady; others may be missing.
func TestMissingMetrics(t *testing.T) {
	var l log
	p := plan(&l, script(`echo '{"metric":"p99","value":1}'`), script(`echo '{"metric":"p50","value":1}'`))
	p.Workloads, p.N = []*workloads.Workload{workloads.Find("crash-error")}, []int{1}
	set, err := p.Run(context.Background(), about())
	require.NoError(t, err)
	require.Len(t, set.Rows, 2)
	require.Equal(t, `failed: no figure of metric "p50"`, set.Rows[0].None)
	require.Equal(t, "p50", set.Rows[1].Metric)
}

// A contestant that hangs costs the others nothing: not with every n, and no budget.
func TestLateOnce(t *testing.T) {
	var l log
	p := plan(&l, script("sleep 1000"), script(steady))
	p.CellTimeout, p.Budget, p.N = 3*time.Second, 2500*time.Millisecond, []int{1, 2, 3}
	set, err := p.Run(context.Background(), about())
	require.NoError(t, err)
	require.Empty(t, set.About.Partial)
	require.Len(t, l.failed, 1)
	for i, want := range []string{"failed: not done in time", "", "not run: not done in time with n = 1", "", "not run: not done in time with n = 1", ""} {
		require.Equal(t, want, set.Rows[i].None)
	}
}

// Results are kept as soon as there are any.
func TestKeptAfterEachGroup(t *testing.T) {
	p := plan(&log{}, script(steady))
	p.MinRuns = 1
	p.MaxRuns = 1
	var kept []int
	p.Keep = func(s *results.Set) error { kept = append(kept, len(s.Rows)); return nil }
	_, err := p.Run(context.Background(), about())
	require.NoError(t, err)
	require.Equal(t, []int{1, 2}, kept[:2])
}

// A run that does not count but fails is a failure, and not made twice.
func TestTheFirstRunFails(t *testing.T) {
	var l log
	p := plan(&l, script("exit 1"))
	p.Workloads, p.N = []*workloads.Workload{workloads.Find("idle")}, []int{1}
	set, err := p.Run(context.Background(), about())
	require.NoError(t, err)
	require.Len(t, l.failed, 1)
	require.Equal(t, "failed: exit status 1", set.Rows[0].None)
}

// What a contestant leaves behind is ended, whether or not it holds the output open.
func TestNothingIsLeftBehind(t *testing.T) {
	for name, c := range map[string]struct{ redirect, none string }{
		"quietly":         {">/dev/null 2>&1", ""},
		"with the output": {"", "failed: left processes behind that hold its output open"},
	} {
		t.Run(name, func(t *testing.T) {
			pid := filepath.Join(t.TempDir(), "pid")
			p := plan(&log{}, script("sleep 1000 "+c.redirect+" & echo $! > "+pid+"; "+steady))
			p.N, p.MaxRuns, p.MinRuns = []int{1}, 1, 1
			set, err := p.Run(context.Background(), about())
			require.NoError(t, err)
			require.Equal(t, c.none, set.Rows[0].None)
			text, err := os.ReadFile(pid)
			require.NoError(t, err)
			require.Eventually(t, func() bool { return gone(string(text)) }, 10*time.Second, time.Millisecond)
		})
	}
}

func TestBudget(t *testing.T) {
	var l log
	p := plan(&l, script(steady))
	p.Budget = time.Nanosecond
	set, err := p.Run(context.Background(), about())
	require.NoError(t, err)
	require.Empty(t, l.cells)
	require.Equal(t, "the time budget is used up", set.About.Partial)
}

// What runs when the run is interrupted is killed, and what it has started.
func TestInterrupt(t *testing.T) {
	pid := filepath.Join(t.TempDir(), "pid")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	p := plan(&log{}, script("sleep 1000 & echo $! > "+pid+".new; mv "+pid+".new "+pid+"; wait"))
	kept := 0
	p.Keep = func(*results.Set) error { kept++; return nil }
	go func() {
		for {
			if _, err := os.Stat(pid); err == nil {
				cancel()
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	set, err := p.Run(ctx, about())
	require.NoError(t, err)
	require.Equal(t, "context canceled", set.About.Partial)
	require.Equal(t, 1, kept)
	text, err := os.ReadFile(pid)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return gone(string(text)) }, 10*time.Second, time.Millisecond)
}

func TestMemoryThatIsNotThere(t *testing.T) {
	if results.AvailableMB() == 0 {
		t.Skip("not known on this system")
	}
	var l log
	p := plan(&l, script(steady))
	p.Workloads, p.N = []*workloads.Workload{workloads.Find("memory")}, []int{1e9}
	set, err := p.Run(context.Background(), about())
	require.NoError(t, err)
	require.Contains(t, set.Rows[0].None, "not run: needs some")
}
