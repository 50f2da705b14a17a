package machine

import (
	"flag"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/strategies"
)

var exploreStates = flag.Int("explore", 0, "explore larger trees, up to so many states of each")

// print is all that decides what can happen from here, as text: two states with
// the same print have the same future.
func (f *forest) print() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v ", f.left)
	ids := map[*tree]int{}
	for i, t := range f.trees {
		ids[t] = i + 1
		f.printTree(&b, t, ids[t.parent])
	}
	for _, l := range f.leaves {
		fmt.Fprintf(&b, "|%d %s %v%v%v%v", ids[l.sup], l.slot.Name, l.ready, l.asked, l.lost, l.slot.Gen-l.gen)
	}
	for _, n := range f.news {
		fmt.Fprintf(&b, "|%d>%d %d", ids[n.from], ids[n.to], n.in.Kind)
		if n.in.Slot != nil {
			fmt.Fprintf(&b, " %s %d %v", n.in.Slot.Name, n.in.Slot.Gen-n.in.Gen, n.in.End.Class)
		}
	}
	for _, a := range f.timers {
		fmt.Fprintf(&b, "|%d in %v", ids[a.sup], a.at.Sub(f.now))
		if a.slot != nil {
			fmt.Fprintf(&b, " %s %v", a.slot.Name, a.slot.armed && a.token == a.slot.token)
		} else {
			fmt.Fprintf(&b, " %v", a.token == a.sup.m.op.token)
		}
	}
	for _, r := range f.open {
		fmt.Fprintf(&b, "|%v %s", r.Op, r.Name)
	}
	return b.String()
}

func (f *forest) printTree(b *strings.Builder, t *tree, parent int) {
	m, o := t.m, &t.m.op
	used, _ := m.Used(f.now)
	fmt.Fprintf(b, "|%s<%d %d %d %d/%d:", t.name, parent, m.phase, m.outcome.Rule, used, t.restarts)
	name := func(s *Slot) string {
		if s == nil {
			return "-"
		}
		return s.Name
	}
	fmt.Fprintf(b, "%d %v %d-%d+%d %s %s %v %v %d %v", o.kind, o.stops, o.lo, o.hi, o.next, name(o.cur), name(o.origin), o.delay, o.concurrent, o.waiting, o.err)
	if o.req != nil {
		fmt.Fprintf(b, " %v %s", o.req.Op, o.req.Name)
	}
	for _, s := range m.kids.list {
		if s == nil {
			b.WriteString(";")
			continue
		}
		fmt.Fprintf(b, ";%s %d %d %v%v%v%v %v %d %v %d", s.Name, s.State, s.retries.Count(), s.armed, s.killed, s.isReady, s.failing != nil, s.Last.Class, s.Stuck-s.Gen, s.Spec.Restart, s.Spec.Policy.MaxRestarts)
	}
	for _, it := range m.queue.items[m.queue.head:] {
		fmt.Fprintf(b, "?%d%v", it.kind, it.counted)
		switch {
		case it.req != nil:
			fmt.Fprintf(b, "%v %s", it.req.Op, it.req.Name)
		case it.slot != nil:
			fmt.Fprintf(b, "%s %v%v%v", it.slot.Name, it.slot.Gen-it.gen, it.token == it.slot.token, it.slot.removed)
		}
	}
	fmt.Fprintf(b, "!%d", len(m.lost))
}

// explore lets everything happen that can, in every order, and returns how many
// states there are. It stops after limit of them.
func explore(t *testing.T, grow func() *forest, limit int) (states int, whole bool) {
	t.Helper()
	seed := maphash.MakeSeed()
	seen := map[uint64]struct{}{}
	todo := [][]uint16{nil}
	for len(todo) > 0 {
		if len(seen) >= limit {
			return len(seen), false
		}
		way := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		f := grow()
		for _, n := range way {
			f.moves()[n].do()
		}
		for {
			key := maphash.String(seed, f.print())
			if _, been := seen[key]; been {
				break
			}
			seen[key] = struct{}{}
			moves := f.moves()
			if len(f.wrong) == 0 && !slices.ContainsFunc(moves, func(m move) bool { return !m.free }) {
				if err := f.atRest(); err != nil {
					f.fail("not at rest: %v", err)
				}
			}
			if len(f.wrong) > 0 {
				require.Fail(t, strings.Join(f.wrong, "; "), "%s", retell(grow, way))
			}
			if len(moves) == 0 {
				break
			}
			for n := 1; n < len(moves); n++ {
				todo = append(todo, append(slices.Clone(way), uint16(n)))
			}
			way = append(slices.Clone(way), 0)
			moves[0].do()
		}
	}
	return len(seen), true
}

// retell tells what happened on a way.
func retell(grow func() *forest, way []uint16) string {
	f := grow()
	var b strings.Builder
	for _, n := range way {
		m := f.moves()[n]
		fmt.Fprintf(&b, "%s\n", m.text)
		from := len(f.log)
		m.do()
		for _, line := range f.log[from:] {
			fmt.Fprintf(&b, "    %s\n", line)
		}
	}
	return b.String()
}

func on(op RequestOp, name string) func(*forest, *tree) *Request {
	return func(*forest, *tree) *Request { return &Request{Op: op, Name: name} }
}

// added starts a child of a name that is new each time.
func added(f *forest, _ *tree) *Request {
	f.serial++
	return &Request{Op: StartChild, Name: fmt.Sprint("new", f.serial), Child: &Child{Shutdown: time.Second}}
}

func workers(names string, c Child) (list []plant) {
	for _, n := range strings.Fields(names) {
		list = append(list, plant{name: n, Child: c})
	}
	return list
}

func supervising(name string, cfg Config, kids ...plant) plant {
	return plant{name: name, cfg: &cfg, kids: kids, Child: Child{Shutdown: Infinity}}
}

// garden is the trees that are explored, small ones or larger.
func garden(strategy strategies.Strategy, large bool) map[string]func() *forest {
	menu := []func(*forest, *tree) *Request{on(TerminateChild, "b"), on(RestartChild, "b"), on(ReplaceChild, "a"), on(DeleteChild, "b"), added}
	left, few, many, limit := budget{1, 1, 1}, "a b", "a b", 1
	if large {
		left, few, many, limit = budget{3, 2, 1}, "a b", "a b c d", 2
	}
	cfg := Config{Strategy: strategy, Intensity: strategies.Intensity{Max: limit, Within: time.Hour}}
	auto := cfg
	auto.AutoShutdown = AnySignificant
	plain := Child{Shutdown: time.Second}
	late, slow, own := plain, plain, plain
	late.Policy.Delay = time.Minute
	slow.StartTimeout, slow.Killable = time.Second, true
	own.Policy = strategies.Policy{MaxRestarts: 1, Exhausted: strategies.StayDown}
	significant := Child{Shutdown: Brutal, Restart: strategies.Transient, Significant: true}
	temporary := Child{Shutdown: Infinity, Restart: strategies.Temporary}

	budgets := map[string]budget{}
	inner := few
	if !large {
		inner, budgets["own limit"], budgets["nested"] = "a", budget{2, 0, 1}, budget{1, 0, 1}
	}
	plants := map[string]plant{
		"plain":       supervising("root", cfg, workers(many, plain)...),
		"delay":       supervising("root", cfg, workers(few, late)...),
		"timeout":     supervising("root", cfg, workers(few, slow)...),
		"own limit":   supervising("root", cfg, workers(few, own)...),
		"significant": supervising("root", auto, append(workers("a", significant), workers("b", temporary)...)...),
		"nested":      supervising("root", cfg, append(workers("a", plain), supervising("b", cfg, workers(inner, plain)...))...),
	}
	forests := map[string]func() *forest{}
	for name, p := range plants {
		left := left
		if b, ok := budgets[name]; ok {
			left = b
		}
		forests[name] = func() *forest { return newForest(p, left, menu...) }
	}
	return forests
}

// Every order in which what can happen does happen, for small trees: at most one
// incarnation of a child, starts and stops in order, no start after a stop, each
// request answered once, no restart uncounted, and rest in the end.
func TestExplore(t *testing.T) {
	large, limit := *exploreStates > 0, max(*exploreStates, 1_000_000)
	if large {
		limit = *exploreStates
	}
	for _, strategy := range []strategies.Strategy{strategies.OneForOne, strategies.OneForAll, strategies.RestForOne} {
		for name, grow := range garden(strategy, large) {
			t.Run(fmt.Sprint(strategy, "/", name), func(t *testing.T) {
				n, whole := explore(t, grow, limit)
				t.Logf("%d states, all there are: %v", n, whole)
				require.True(t, whole || large)
			})
		}
	}
}
