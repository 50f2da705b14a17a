package bench

import (
	"bytes"
	"os"
	"runtime/debug"
	"strconv"
	"testing"
)

// BenchmarkMemory reports how much the resident set grows for each of 100,000
// idle children. Run it alone and with -benchtime=1x: memory once used is not
// always given back.
func BenchmarkMemory(b *testing.B) {
	const n = 100_000
	for range b.N {
		debug.FreeOSMemory()
		before := rss(b)
		stop := startCoppice(n)
		debug.FreeOSMemory()
		b.ReportMetric(float64(rss(b)-before)/n, "RSS-bytes/child")
		stop()
	}
}

func rss(b *testing.B) int {
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Fatal(err)
	}
	pages, err := strconv.Atoi(string(bytes.Fields(data)[1]))
	if err != nil {
		b.Fatal(err)
	}
	return pages * os.Getpagesize()
}
