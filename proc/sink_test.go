package proc

import (
	"bytes"
	"log/slog"
	"testing"
)

// BenchmarkSink is what a line of 80 bytes costs between the pipe and the handler.
func BenchmarkSink(b *testing.B) {
	p := &process{tail: newTail(0)}
	h := slog.New(handler{slog.DiscardHandler, func() {}}).Handler()
	o := &output{p: p, tail: tailing{tail: p.tail}, sink: &sink{p: p, ctx: b.Context(), log: h}}
	block := bytes.Repeat(append(bytes.Repeat([]byte("x"), 79), '\n'), 800)
	b.ReportAllocs()
	for b.Loop() {
		o.take(block)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(800*b.N), "ns/line")
}
