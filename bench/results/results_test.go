package results

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestQuantile(t *testing.T) {
	require.True(t, math.IsNaN(Quantile(nil, 0.5)))
	require.Equal(t, 7.0, Quantile([]float64{7}, 0.99))
	v := []float64{1, 2, 3, 4, 5}
	require.Equal(t, 1.0, Quantile(v, 0))
	require.Equal(t, 3.0, Quantile(v, 0.5))
	require.Equal(t, 5.0, Quantile(v, 1))
	require.InDelta(t, 4.96, Quantile(v, 0.99), 1e-9)
	require.Equal(t, 2.5, Median([]float64{4, 1, 3, 2}))
}

func TestSpread(t *testing.T) {
	require.True(t, math.IsNaN(Spread([]float64{1})))
	require.Zero(t, Spread([]float64{0, 0, 0}))
	require.Zero(t, Spread([]float64{5, 5, 5}))
	require.InDelta(t, 0.2, Spread([]float64{8, 9, 10, 11, 12}), 1e-9)
	require.InDelta(t, 0.2, Spread([]float64{8, 9, 10, 11, 1000}), 1e-9, "an outlier does not count")
}

func TestSummary(t *testing.T) {
	r := Row{Metric: "p50"}.Summary([]float64{3, 1, 2})
	require.Equal(t, Row{Metric: "p50", Value: 2, Min: 1, Max: 3, Runs: 3}, r)
}

func TestFilesAreReadAsTheyWereWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "r.jsonl")
	s := &Set{
		About: About{CPU: "x", Cores: 2, Versions: map[string]string{"otp": "25"}, Started: time.Unix(1, 0).UTC()},
		Rows: []Row{
			{"start-stop", "coppice", 10, "start", "us/child", 1.5, 1, 2, 3, ""},
			{Workload: "start-stop", Contestant: "otp", N: 10, None: "needs Erlang"},
		},
	}
	require.NoError(t, s.WriteFile(file))
	got, err := ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, s, got)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(text),
		`{"workload":"start-stop","contestant":"coppice","n":10,"metric":"start","unit":"us/child","value":1.5,"min":1,"max":2,"runs":3}`)
}

func TestBadFiles(t *testing.T) {
	for text, want := range map[string]string{
		"{\"about\":{}}\nnonsense": "line 2: invalid character",
		"{}":                       "line 1: neither a row nor about the machine",
		"{\"workload\":\"x\"}":     "line 1: neither",
	} {
		_, err := Read(strings.NewReader(text))
		require.ErrorContains(t, err, want)
	}
	s, err := Read(bytes.NewReader(nil))
	require.NoError(t, err)
	require.Empty(t, s.Rows)
}

func TestHere(t *testing.T) {
	a := Here()
	require.NotEmpty(t, a.CPU)
	require.Positive(t, a.Cores)
	require.NotEmpty(t, a.Go)
}
