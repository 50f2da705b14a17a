package report

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/coppice-go/coppice/bench/results"
)

// Benchmark is a Go benchmark: the medians of its runs.
type Benchmark struct {
	Name                  string // without "Benchmark" and the number of processors
	Nanos, Bytes, Allocs  float64
	nanos, bytesV, allocs []float64
}

// ReadBenchmarks reads what go test -bench prints.
func ReadBenchmarks(file string) (all []*Benchmark, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	byName := make(map[string]*Benchmark)
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name := strings.TrimPrefix(fields[0], "Benchmark")
		if i := strings.LastIndex(name, "-"); i > 0 {
			name = name[:i]
		}
		b := byName[name]
		if b == nil {
			b = &Benchmark{Name: name}
			byName[name] = b
			all = append(all, b)
		}
		for i := 2; i+1 < len(fields); i += 2 {
			v, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return nil, fmt.Errorf("%s: %q: %w", file, lines.Text(), err)
			}
			switch fields[i+1] {
			case "ns/op":
				b.nanos = append(b.nanos, v)
			case "B/op":
				b.bytesV = append(b.bytesV, v)
			case "allocs/op":
				b.allocs = append(b.allocs, v)
			}
		}
	}
	for _, b := range all {
		b.Nanos, b.Bytes, b.Allocs = results.Median(b.nanos), results.Median(b.bytesV), results.Median(b.allocs)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: no benchmarks", file)
	}
	return all, lines.Err()
}
