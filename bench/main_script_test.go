package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/bench/contestants"
	"github.com/coppice-go/coppice/bench/results"
)

// What stands between the marks is in README.md as the least program.

// begin
type script struct{}

func (script) Version() (string, error) { // an error says what is missing
	out, err := exec.Command("python3", "--version").Output()
	return strings.TrimSpace(string(out)), err
}

func (script) Command(ctx context.Context) (*exec.Cmd, error) {
	return exec.CommandContext(ctx, "python3", "-c", program), nil
}

const program = `
import json, threading, time
request = json.loads(input())
if request["workload"] != "start-stop":
    print(json.dumps({"none": "has none"}))
else:
    n, stop = request["n"], threading.Event()
    begin = time.perf_counter()
    children = [threading.Thread(target=stop.wait) for _ in range(n)]
    for c in children: c.start()
    started = time.perf_counter()
    stop.set()
    for c in children: c.join()
    ended = time.perf_counter()
    print(json.dumps({"metric": "start", "value": (started - begin) * 1e6 / n}))
    print(json.dumps({"metric": "stop", "value": (ended - started) * 1e6 / n}))
`

// end

// The least program works, and is what the README shows.
func TestTheLeastProgram(t *testing.T) {
	source, err := os.ReadFile("main_script_test.go")
	require.NoError(t, err)
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	_, code, _ := strings.Cut(string(source), "// begin\n")
	code, _, _ = strings.Cut(code, "\n// end\n")
	require.Contains(t, string(readme), "```go\n"+code+"```\n")

	if _, err := (script{}).Version(); err != nil {
		t.Skipf("python3 does not run: %v", err)
	}
	f, err := parseRun([]string{"-workloads", "start-stop|churn", "-n", "4", "-runs", "1", "-max-runs", "1"}, &bytes.Buffer{})
	require.NoError(t, err)
	f.plan.Contestants = []*contestants.Contestant{{Name: "script", Program: script{}}}
	f.plan.Progress = newProgress(&bytes.Buffer{})
	set, err := f.plan.Run(context.Background(), results.Here())
	require.NoError(t, err)
	require.Len(t, set.Rows, 3)
	require.Equal(t, []string{"start", "stop", ""}, []string{set.Rows[0].Metric, set.Rows[1].Metric, set.Rows[2].Metric}, "%v", set.Rows)
	require.Equal(t, "has none", set.Rows[2].None)
}
