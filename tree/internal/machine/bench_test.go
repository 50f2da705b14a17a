package machine

import (
	"fmt"
	"testing"
	"time"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
)

// shell carries effects out as one would whose children start and stop at once.
type shell struct {
	m      *Machine
	now    time.Time
	inputs []Input
	out    []Effect
}

func newShell(s strategies.Strategy, n int) *shell {
	m := New(Config{Strategy: s, Intensity: strategies.Intensity{Max: strategies.Unlimited}})
	h := &shell{m: &m, now: time.Unix(0, 0)}
	spec := &Child{Shutdown: 5 * time.Second}
	for i := range n {
		h.m.Add(fmt.Sprint(i), spec, nil)
	}
	h.play(Input{Kind: Begin})
	return h
}

func (h *shell) play(in Input) {
	h.inputs = append(h.inputs[:0], in)
	for i := 0; i < len(h.inputs); i++ {
		h.out = h.m.Step(h.now, h.inputs[i], h.out[:0])
		for k := range h.out {
			switch e := &h.out[k]; e.Kind {
			case DoStart:
				h.inputs = append(h.inputs, Input{Kind: Ready, Slot: e.Slot, Gen: e.Gen})
			case DoStop:
				h.inputs = append(h.inputs, Input{Kind: Exited, Slot: e.Slot, Gen: e.Slot.Gen, End: actor.End{Class: actor.ClassShutdown}})
			}
		}
	}
}

// BenchmarkStep is the failure of a child and what the machine makes of it, until
// all that it took along runs again. One-for-one must not cost more among 100,000.
func BenchmarkStep(b *testing.B) {
	failed := actor.End{Class: actor.ClassAbnormal, Err: errBoom}
	for _, c := range []struct {
		strategy strategies.Strategy
		children int
	}{{strategies.OneForOne, 1}, {strategies.OneForOne, 100_000}, {strategies.OneForAll, 10}, {strategies.OneForAll, 1_000}} {
		b.Run(fmt.Sprintf("%s/children=%d", c.strategy, c.children), func(b *testing.B) {
			h := newShell(c.strategy, c.children)
			slot := h.m.Slot(fmt.Sprint(c.children / 2))
			b.ReportAllocs()
			for b.Loop() {
				h.play(Input{Kind: Exited, Slot: slot, Gen: slot.Gen, End: failed})
			}
			if slot.State != Running {
				b.Fatal(slot.State)
			}
		})
	}
}
