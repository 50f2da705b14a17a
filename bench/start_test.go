package bench

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkStart starts n children under one supervisor and stops them again,
// the three ways in turn within each iteration. ns/child and the ratios to suture
// are what counts.
func BenchmarkStart(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			ways := []struct {
				name  string
				start func(int) func()
			}{{"goroutines", startGoroutines}, {"suture", startSuture}, {"coppice", startCoppice}}
			starts, stops := make([]time.Duration, len(ways)), make([]time.Duration, len(ways))
			for b.Loop() {
				for i, w := range ways {
					t0 := time.Now()
					stop := w.start(n)
					t1 := time.Now()
					stop()
					starts[i] += t1.Sub(t0)
					stops[i] += time.Since(t1)
				}
			}
			for i, w := range ways {
				b.ReportMetric(float64(starts[i].Nanoseconds())/float64(b.N*n), w.name+"-start-ns/child")
				b.ReportMetric(float64(stops[i].Nanoseconds())/float64(b.N*n), w.name+"-stop-ns/child")
			}
			b.ReportMetric(float64(starts[1])/float64(starts[2]), "start-rate/suture")
			b.ReportMetric(float64(stops[1])/float64(stops[2]), "stop-rate/suture")
			b.ReportMetric(0, "ns/op")
		})
	}
}
