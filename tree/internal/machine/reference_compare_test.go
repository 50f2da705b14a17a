package machine

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// say is an effect as text, without what each may choose as it likes.
func say(e Effect) string {
	name := func(s *Slot) string {
		if s == nil {
			return "all"
		}
		return fmt.Sprintf("%s#%d", s.Name, s.Gen)
	}
	switch e.Kind {
	case DoStart, DoKill, DoAbandon, DoRemove:
		return fmt.Sprintf("effect %d: %s", e.Kind, name(e.Slot))
	case DoStop:
		return fmt.Sprintf("stop %s: %v", name(e.Slot), e.Cause.Reason)
	case SetTimer:
		return fmt.Sprintf("timer %s in %v", name(e.Slot), e.Delay)
	case DoAnswer:
		text := fmt.Sprintf("answer %v %s: %v, %d", e.Answer.Request.Op, e.Answer.Request.Name, e.Answer.Err, e.Answer.Gen)
		for _, c := range e.Answer.Children {
			text += fmt.Sprintf(" %s %v", name(c.Slot), c.State)
		}
		return text
	case DoEnd:
		return fmt.Sprintf("end: %+v", *e.Outcome)
	case Emit:
		v := *e.Event
		slot := v.Slot
		v.Slot = nil
		if slot == nil {
			return fmt.Sprintf("event %+v", v)
		}
		return fmt.Sprintf("event of %s: %+v", name(slot), v)
	}
	return fmt.Sprintf("effect %d", e.Kind)
}

// sayings plays what data says against a supervisor, to its end.
func sayings(data []byte, supervisor func(Config) acting) (lines []string) {
	w := random(data, func(cfg Config) acting { return &spoken{supervisor(cfg), &lines} })
	w.cooperate()
	if w.ended == nil {
		w.step(Input{Kind: Stop})
		w.cooperate()
	}
	return append(lines, w.wrong...)
}

// spoken keeps what went in and what came out.
type spoken struct {
	acting
	lines *[]string
}

func (s *spoken) Step(now time.Time, in Input, out []Effect) []Effect {
	text := fmt.Sprintf("%s input %d", now.Format("05.000"), in.Kind)
	if in.Slot != nil {
		text += fmt.Sprintf(" of %s#%d %v", in.Slot.Name, in.Gen, in.End)
	}
	if in.Request != nil {
		text += fmt.Sprintf(" %v %s", in.Request.Op, in.Request.Name)
	}
	effects := s.acting.Step(now, in, out)
	if in.Kind == TimerFired && len(effects) == 0 { // void
		return effects
	}
	*s.lines = append(*s.lines, text)
	timers := map[*Slot]string{} // what is set in the end
	for _, e := range effects {
		switch e.Kind {
		case CancelTimer:
			delete(timers, e.Slot)
		case SetTimer:
			timers[e.Slot] = "    " + say(e)
		default:
			*s.lines = append(*s.lines, "    "+say(e))
		}
	}
	*s.lines = append(*s.lines, slices.Sorted(maps.Values(timers))...)
	used, _ := s.Used(now)
	text = fmt.Sprintf("    now: %d restarts, stopping %v, busy %v", used, s.Stopping(), s.Busy())
	s.Slots(func(k *Slot) bool {
		text += fmt.Sprintf("; %s#%d %d since %s, restarts %d, stuck %d, ended %v %v, active %v", k.Name, k.Gen, k.State, k.Since.Format("05.000"),
			k.Restarts, k.Stuck, k.HasEnded, k.Last, k.Active())
		return true
	})
	*s.lines = append(*s.lines, text)
	return effects
}

func compare(t require.TestingT, data []byte) {
	var r *reference
	want := sayings(data, func(cfg Config) acting { r = newReference(cfg); return r })
	r.close()
	got := sayings(data, machineOf)
	for i := range max(len(want), len(got)) {
		if i >= len(want) || i >= len(got) || want[i] != got[i] {
			from := max(0, i-25)
			require.Fail(t, "machine and reference differ", "%s\n--- reference\n%s\n--- machine\n%s",
				strings.Join(want[from:min(i, len(want))], "\n"), strings.Join(want[min(i, len(want)):min(i+5, len(want))], "\n"),
				strings.Join(got[min(i, len(got)):min(i+5, len(got))], "\n"))
		}
	}
}

// So it does in many worlds that are always the same.
func TestReferenceSeeds(t *testing.T) {
	for seed := range uint64(1500) {
		chance := rand.New(rand.NewPCG(seed, 1))
		data := make([]byte, 40+chance.IntN(400))
		for i := range data {
			data[i] = byte(chance.Uint32())
		}
		compare(t, data)
	}
}

// The machine does what the reference does, whatever happens.
func TestReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { compare(t, rapid.SliceOfN(rapid.Byte(), 20, 400).Draw(t, "data")) })
}
