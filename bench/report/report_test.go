package report

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/bench/results"
)

func TestNumber(t *testing.T) {
	for n, want := range map[int]string{8: "8", 1_000: "1k", 1_500: "1500", 100_000: "100k", 2_000_000: "2M"} {
		require.Equal(t, want, Number(n))
	}
}

func TestFigure(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0.00", 0.0313: "0.0313", 0.5: "0.500", 0.9949: "0.995", 0.999: "1.00", 1e300: "1e+300", 2e15: "2e+15", 1e-9: "0.000000", 1.234: "1.23", 12.34: "12.3", 123.4: "123", 4321: "4321", 12345: "12.3k", 1234567: "1.23M", -12.34: "-12.3",
	} {
		require.Equal(t, want, Figure(v))
	}
}

func set() *results.Set {
	row := func(w, c string, n int, m, unit string, v float64) results.Row {
		return results.Row{Workload: w, Contestant: c, N: n, Metric: m, Unit: unit, Value: v, Min: v * 0.9, Max: v * 1.1, Runs: 3}
	}
	return &results.Set{
		About: results.About{
			CPU: "a processor", Cores: 2, OS: "linux/amd64", Go: "go1.26", Command: "go run . -full", Took: "1h",
			Started: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), Versions: map[string]string{"otp": "25", "example.com/other": "v1", "github.com/thejerf/suture/v4": "v4.0.6"},
		},
		Rows: []results.Row{
			row("crash-error", "coppice", 10, "p50", "us", 3),
			row("crash-error", "suture", 10, "p50", "us", 1),
			row("crash-error", "otp", 10, "p50", "us", 6),
			row("crash-error", "floor", 10, "p50", "us", 0.5),
			row("crash-error", "coppice", 100_000, "p50", "us", 4),
			row("crash-error", "suture", 100_000, "p50", "us", 4.1),
			{Workload: "crash-error", Contestant: "otp", N: 100_000, None: "failed: oops"},
			{Workload: "crash-error", Contestant: "protoactor", N: 10, None: "has none"},
			row("churn", "coppice", 8, "pairs", "pairs/s", 300),
			row("churn", "otp", 8, "pairs", "pairs/s", 100),
			row("churn", "otp-dynamic", 8, "pairs", "pairs/s", 200),
			row("churn", "suture", 8, "pairs", "pairs/s", 400),
		},
	}
}

func TestTable(t *testing.T) {
	require.Equal(t, `| n | | coppice | suture | otp | floor | protoactor |
|--:|---|---|---|---|---|---|
| 10 | p50, us | 3.00 | 1.00 (**0.333×**) | 6.00 (2.00×) | 0.500 (**0.167×**) | has none |
| 100k | p50, us | 4.00 | 4.10 (1.02×) | – |  |  |

* otp, n = 100k: failed: oops
`, Table(set(), "crash-error"))
	require.Contains(t, Table(set(), "churn"), "| 300 | 100 (3.00×) | 200 (1.50×) | 400 (**0.750×**) |")
	all := Tables(set())
	require.Contains(t, all, "### crash-error\n\n| n |")
	require.Contains(t, all, "### churn\n\n| n |")
}

// No ratio of what differs by noise alone, nor to nothing.
func TestNoRatio(t *testing.T) {
	s := &results.Set{Rows: []results.Row{
		{Workload: "idle", Contestant: "coppice", N: 1, Metric: "cpu", Unit: "ms per s", Value: 0.4},
		{Workload: "idle", Contestant: "suture", N: 1, Metric: "cpu", Unit: "ms per s", Value: 0.2},
		{Workload: "idle", Contestant: "floor", N: 1, Metric: "cpu", Unit: "ms per s", Value: 4},
		{Workload: "idle", Contestant: "otp", N: 1, Metric: "cpu", Unit: "ms per s", Value: 0},
	}}
	require.Contains(t, Table(s, "idle"), "| 0.400 | 0.200 | 4.00 (10.0×) | 0.00 |")
	s.Rows[0].Value = 7
	require.Contains(t, Table(s, "idle"), "| 7.00 | 0.200 (**0.0286×**) | 4.00 (**0.571×**) | 0.00 |")
}

func TestTargets(t *testing.T) {
	table, met, all := Targets(set())
	require.Contains(t, table, "| restart after an error, p50 ≤ 2 × suture's | **not met** | **10: 3.00 us to suture's 1.00: 0.333×, wanted 0.500×** |")
	require.Contains(t, table, "| the same, flat: at most 1.5 × that with 10 siblings | met | 100k: 4.00 us to 3.00: 1.33× |")
	require.Contains(t, table, "| churn by 8 callers ≥ 1.5 × OTP's | met | 8: 300 pairs/s to otp-dynamic's 200: 1.50×, wanted 1.50× |")
	require.Contains(t, table, "| churn by 8 callers ≥ suture's | **not met** |")
	require.Contains(t, table, "| an idle tree uses no CPU: at most 1 ms in a second | no figures | |")
	require.Equal(t, 2, met)
	require.Equal(t, 4, all)
}

func TestLosses(t *testing.T) {
	require.Equal(t, []string{
		"`crash-error`, p50: suture is better: 3.00× with n = 10 (1.00 to 3.00 us)",
		"`churn`, pairs: suture is better: 1.33× with n = 8 (400 to 300 pairs/s)",
	}, Losses(set()))
}

func TestPlots(t *testing.T) {
	dir := t.TempDir()
	files, err := Plots(set(), dir, ".svg", ".png")
	require.NoError(t, err)
	require.Equal(t, []string{filepath.Join(dir, "crash-error-p50.svg"), filepath.Join(dir, "crash-error-p50.png")}, files)
	svg, err := os.ReadFile(files[0])
	require.NoError(t, err)
	require.Contains(t, string(svg), "suture")
	png, err := os.ReadFile(files[1])
	require.NoError(t, err)
	require.Equal(t, "\x89PNG", string(png[:4]))
}

// However many contestants there are, each looks different.
func TestNoTwoContestantsLookAlike(t *testing.T) {
	type pair struct{ hue, shape any }
	seen := make(map[pair]bool)
	for i := range 40 {
		hue, shape := look(i)
		require.False(t, seen[pair{hue, shape}], "number %d looks like another", i)
		seen[pair{hue, shape}] = true
	}
}

// Figures that cannot be are left out of the pictures, whose axes end.
func TestPlotsOfNonsense(t *testing.T) {
	s := set()
	for i, v := range []float64{1e300, 1e-300, -1, 0} {
		s.Rows[1].Value, s.Rows[1].Min, s.Rows[1].Max = v, v, v
		s.Rows[0].N = 1 + i // out of order
		files, err := Plots(s, t.TempDir(), ".svg")
		require.NoError(t, err)
		require.Len(t, files, 1)
		curve := points(s, "crash-error", "coppice", "p50")
		require.Less(t, curve.XYs[0].X, curve.XYs[1].X)
		require.Less(t, len(ticks{}.Ticks(least, most)), 1000)
	}
	s.Rows[0].N, s.Rows[4].N = 500, 7
	curve := points(s, "crash-error", "coppice", "p50")
	require.Equal(t, []float64{7, 4, 500, 3}, []float64{curve.XYs[0].X, curve.XYs[0].Y, curve.XYs[1].X, curve.XYs[1].Y})
	require.InDelta(t, 0.4, curve.YErrors[0].High, 1e-9, "the bar stays with its point")
	marks := measured(s, "crash-error", "p50").Ticks(1, 1e6)
	require.Equal(t, "500", marks[0].Label)
}

func TestReadBenchmarks(t *testing.T) {
	file := filepath.Join(t.TempDir(), "baseline.txt")
	require.NoError(t, os.WriteFile(file, []byte(`goos: linux
pkg: x
BenchmarkRestart/siblings=10-2   1000   2500 ns/op   900 B/op   12 allocs/op
BenchmarkRestart/siblings=10-2   1000   2600 ns/op   900 B/op   12 allocs/op
BenchmarkRestart/siblings=10-2   1000   9900 ns/op   900 B/op   12 allocs/op
BenchmarkStep-2   1000   100 ns/op   0 B/op   0 allocs/op
PASS
`), 0o600))
	all, err := ReadBenchmarks(file)
	require.NoError(t, err)
	require.Len(t, all, 2)
	require.Equal(t, "Restart/siblings=10", all[0].Name)
	require.Equal(t, 2600.0, all[0].Nanos)
	require.Equal(t, 900.0, all[0].Bytes)
	require.Equal(t, 12.0, all[0].Allocs)
	require.NoError(t, os.WriteFile(file, []byte("PASS\n"), 0o600))
	_, err = ReadBenchmarks(file)
	require.ErrorContains(t, err, "no benchmarks")
}

func TestDoc(t *testing.T) {
	text, err := Doc(set(), []*Benchmark{{Name: "Restart", Nanos: 2600, Bytes: 900, Allocs: 12}}, "performance", []string{"x/performance/crash-error-p50.svg"})
	require.NoError(t, err)
	for _, want := range []string{
		"a processor, 2 cores, linux/amd64", "go1.26, github.com/thejerf/suture/v4 v4.0.6, otp 25.", "    go run . -full\n", "## Targets: 2 of 4 met",
		"* `churn`, pairs: suture is better", "| Restart | 2600 | 900 | 12.0 |", "![performance/crash-error-p50.svg](performance/crash-error-p50.svg)",
		"| suture | github.com/thejerf/suture/v4",
	} {
		require.Contains(t, string(text), want)
	}
	require.NotContains(t, string(text), "ended early")
	s := set()
	s.About.Partial = "interrupted"
	text, err = Doc(s, nil, "performance", nil)
	require.NoError(t, err)
	require.Contains(t, string(text), "It ended early (interrupted)")
	s.Rows = s.Rows[1:4]
	text, err = Doc(s, nil, "performance", nil)
	require.NoError(t, err)
	require.Contains(t, string(text), "Coppice took no part in this run.")
}
