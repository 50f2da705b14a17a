package machine

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
)

func permanent(name string) kid {
	return kid{name, Child{Shutdown: 5 * time.Second}}
}

func grown(t *testing.T, cfg Config, kids ...kid) *world {
	w := newWorld(cfg, kids...)
	w.step(Input{Kind: Begin})
	w.cooperate()
	require.True(t, w.up)
	w.trace = nil
	return w
}

func TestTrace(t *testing.T) {
	unlimited := strategies.Intensity{Max: strategies.Unlimited}
	group := func(s strategies.Strategy) Config { return Config{Strategy: s, Intensity: unlimited} }
	temporary := permanent("b")
	temporary.Restart = strategies.Temporary
	delayed := permanent("b")
	delayed.Policy.Delay = time.Second
	stays := permanent("b")
	stays.Policy = strategies.Policy{MaxRestarts: 1, Exhausted: strategies.StayDown}

	tests := []struct {
		name string
		cfg  Config
		kids []kid
		play func(w *world)
		want string
	}{
		{"one for one", group(strategies.OneForOne), []kid{permanent("a"), permanent("b"), permanent("c")}, func(w *world) {
			w.end("b", errBoom)
			w.cooperate()
		}, "start b"},
		{"one for all", group(strategies.OneForAll), []kid{permanent("a"), permanent("b"), permanent("c")}, func(w *world) {
			w.end("b", errBoom)
			w.cooperate()
		}, "stop c, stop a, start a, start b, start c"},
		{"rest for one", group(strategies.RestForOne), []kid{permanent("a"), permanent("b"), permanent("c")}, func(w *world) {
			w.end("b", errBoom)
			w.cooperate()
		}, "stop c, start b, start c"},
		{"a temporary sibling is stopped and dropped", group(strategies.OneForAll), []kid{permanent("a"), temporary, permanent("c")}, func(w *world) {
			w.end("a", errBoom)
			w.cooperate()
		}, "stop c, stop b, start a, start c"},
		{"siblings stop at once, and start after the delay", group(strategies.OneForAll), []kid{permanent("a"), delayed}, func(w *world) {
			w.end("b", errBoom)
			w.end("a", nil)
			w.note("delay")
			w.cooperate()
		}, "stop a, delay, start a, start b"},
		{"a stop cancels the delay", group(strategies.OneForOne), []kid{permanent("a"), delayed}, func(w *world) {
			w.end("b", errBoom)
			w.step(Input{Kind: Stop})
			w.cooperate()
		}, "stop a, end"},
		{"stop in reverse order, each waited for", group(strategies.OneForOne), []kid{permanent("a"), permanent("b")}, func(w *world) {
			w.step(Input{Kind: Stop})
			w.note("wait")
			w.cooperate()
		}, "stop b, wait, stop a, end"},
		{"a restart that fails is tried again behind the requests", group(strategies.OneForOne), []kid{permanent("a")}, func(w *world) {
			w.end("a", errBoom)
			w.ask(&Request{Op: DeleteChild, Name: "a"})
			w.ask(&Request{Op: TerminateChild, Name: "a"})
			w.end("a", errBoom)
			w.cooperate()
		}, "start a, answer delete child a: restarting, answer terminate child a: <nil>"},
		{"the second failure of a child that may restart once", group(strategies.OneForOne), []kid{permanent("a"), stays}, func(w *world) {
			w.end("b", errBoom)
			w.cooperate()
			w.end("b", errBoom)
			w.cooperate()
		}, "start b"},
		{"unlike siblings, what the child itself has used up does not keep a group down", group(strategies.OneForAll), []kid{permanent("a"), stays, permanent("c")}, func(w *world) {
			w.end("b", errBoom)
			w.cooperate()
			w.trace = nil
			w.end("a", errBoom)
			w.end("c", nil)
			w.end("b", nil)
			w.ready("a")
			w.end("b", errBoom)
			w.cooperate()
		}, "stop c, stop b, start a, start b, start c"},
		{"escalation", group(strategies.OneForOne), []kid{permanent("a"), permanent("b")}, func(w *world) {
			w.end("a", actor.Escalate(errBoom))
			w.cooperate()
		}, "stop b, end"},
		{"a child that does not stop is given up", group(strategies.OneForOne), []kid{permanent("a"), permanent("b")}, func(w *world) {
			w.step(Input{Kind: Stop})
			w.fire()
			w.cooperate()
		}, "stop b, abandon b, stop a, end"},
		{"kill", group(strategies.OneForOne), []kid{permanent("a"), permanent("b")}, func(w *world) {
			w.step(Input{Kind: Stop})
			w.step(Input{Kind: Kill})
			w.fire()
		}, "stop b, stop a, kill a, kill b, abandon a, abandon b, end"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := grown(t, tt.cfg, tt.kids...)
			tt.play(w)
			got := strings.Join(w.trace, ", ")
			if tt.name == "kill" { // in which order is of no matter
				got = strings.Replace(got, "kill b, stop a, kill a", "stop a, kill a, kill b", 1)
			}
			require.Equal(t, tt.want, got)
			require.Empty(t, w.wrong)
		})
	}
}

// random drives a machine by bytes: the first few make the supervisor and its
// children, each further one is something that happens.
func random(data []byte, supervisor func(Config) acting) *world {
	next := func() int {
		if len(data) == 0 {
			return 0
		}
		b := data[0]
		data = data[1:]
		return int(b)
	}
	cfg := Config{Strategy: strategies.Strategy(next() % 3), AutoShutdown: AutoShutdown(next() % 3), Dynamic: next()%4 == 0, MaxChildren: next() % 5}
	cfg.Intensity = strategies.Intensity{Max: next()%8 - 1, Within: time.Duration(next()%10+1) * time.Second}
	spec := func() Child {
		return Child{
			Restart:      strategies.Restart(next() % 3),
			Significant:  next()%3 == 0,
			Policy:       policies[next()%len(policies)],
			Shutdown:     []time.Duration{time.Second, Brutal, Infinity}[next()%3],
			StartTimeout: []time.Duration{0, time.Second}[next()%2],
			Killable:     next()%2 == 0,
		}
	}
	var kids []kid
	template := spec()
	if !cfg.Dynamic {
		for i := range next() % 5 {
			kids = append(kids, kid{fmt.Sprint("c", i), spec()})
		}
	}
	w := worldOf(supervisor(cfg), kids...)
	w.step(Input{Kind: Begin})
	for len(data) > 0 && w.ended == nil {
		w.happen(next, &template, spec)
	}
	return w
}

var policies = []strategies.Policy{
	{},
	{},
	{Delay: time.Second},
	{MaxRestarts: 2},
	{MaxRestarts: 1, Exhausted: strategies.StayDown},
	{Backoff: strategies.Backoff{Initial: 100 * time.Millisecond}},
}

var ends = []error{
	nil, errBoom, errBoom, actor.ErrShutdown, actor.ErrIgnore, actor.ErrGoexit,
	actor.Escalate(errBoom), actor.RetryAfter(time.Second, errBoom), &actor.PanicError{Value: 1},
}

func (w *world) happen(next func() int, template *Child, spec func() Child) {
	pick := func() *incarnation {
		if len(w.living) == 0 {
			return nil
		}
		return &w.living[next()%len(w.living)]
	}
	switch next() % 12 {
	case 0, 1, 2:
		if i := pick(); i != nil && !i.ready {
			w.ready(i.slot.Name)
		}
	case 3, 4:
		if i := pick(); i != nil {
			w.endOf(*i, ends[next()%len(ends)])
		}
	case 5:
		w.tooLate()
		w.fire()
	case 6:
		w.now = w.now.Add(time.Duration(next()) * 10 * time.Millisecond)
	case 7, 8:
		w.askAny(next, template, spec)
	case 9:
		if i := pick(); i != nil && i.ready {
			w.step(Input{Kind: Unhealthy, Slot: i.slot, Gen: i.gen - next()%2, End: actor.End{Err: actor.ErrNoHeartbeat}})
		}
	case 10:
		// What was given up ends late, or tells things that are not true any more.
		if len(w.lost) > 0 {
			i := w.lost[0]
			w.lost = w.lost[1:]
			w.step(Input{Kind: Ready, Slot: i.slot, Gen: i.gen})
			w.step(Input{Kind: Exited, Slot: i.slot, Gen: i.gen, End: actor.Classify(errBoom, true, true)})
			w.step(Input{Kind: Exited, Slot: i.slot, Gen: i.gen, End: actor.Classify(errBoom, true, true)})
		}
	case 11:
		switch next() % 16 {
		case 0, 1:
			w.step(Input{Kind: Stop})
		case 2:
			w.step(Input{Kind: Kill})
		case 3:
			if w.last != nil {
				w.step(Input{Kind: Withdraw, Request: w.last})
				if !w.m.serving(w.last) {
					delete(w.open, w.last)
				}
			}
		}
	}
}

func (w *world) askAny(next func() int, template *Child, spec func() Child) {
	r := &Request{Op: RequestOp(next() % 7), Name: fmt.Sprint("c", next()%6), Child: template}
	if r.Op == StartChild {
		c := spec()
		r.Child = &c
	}
	w.ask(r)
}

func checkRandom(t require.TestingT, data []byte) {
	w := random(data, machineOf)
	w.cooperate()
	if w.ended == nil {
		w.step(Input{Kind: Stop})
		w.cooperate()
	}
	require.Empty(t, w.wrong, "%v", w.trace)
	require.NotNil(t, w.ended, "did not end: %v", w.trace)
	require.Empty(t, w.open, "requests without an answer: %v", w.trace)
}

func TestRandom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		checkRandom(t, rapid.SliceOfN(rapid.Byte(), 20, 400).Draw(t, "data"))
	})
}

func FuzzMachine(f *testing.F) {
	for i := range 64 {
		var seed []byte
		for n := range 40 {
			seed = binary.LittleEndian.AppendUint64(seed, uint64(i+1)*uint64(n+7)*0x9e3779b97f4a7c15)
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		checkRandom(t, data)
		compare(t, data)
	})
}
