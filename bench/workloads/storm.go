package workloads

import (
	"sync/atomic"
	"time"

	"github.com/coppice-go/coppice/bench/contest"
)

var (
	stormByError = storm("storm-error", "by a returned error", contest.ByError)
	stormByPanic = storm("storm-panic", "by a panic", contest.ByPanic)
)

const pace = 5 * time.Millisecond // between failures of the innocent sibling

func storm(name, way string, how contest.Failure) *Workload {
	return &Workload{
		Name: name, N: "children that fail all the time", Children: true,
		About: "Under one one-for-one supervisor n children fail " + way + " as soon as they have entered their code, for the given " +
			"length, after a fifth of it that is not counted. Each entry counts as a restart. An innocent sibling among them is made to fail 5 ms after its last " +
			"restart, timed as in the crash workloads: before the storm (calm, for half the length) and during it. " +
			"OTP's supervisor has no restarts without limit, so that it remembers each of the last second, and counts them all at each restart.",
		Metrics: []Metric{
			{Name: "restarts", Unit: "restarts/s", About: "restarts of all, in a second"},
			{Name: "calm_p50", Unit: "us", About: "the innocent's restart before the storm, median"},
			{Name: "innocent_p50", Unit: "us", About: "the innocent's restart during it, median"},
			{Name: "innocent_p99", Unit: "us", About: "the same, 99 of 100"},
		},
		Short: []int{1_000}, Full: []int{100, 1_000, 10_000},
		Run: func(e *Env) error {
			crowd := &gusts{how: how}
			v := newVictim()
			kids := idlers(e.N, crowd)
			for _, c := range kids {
				c.Victim()
			}
			t, err := e.start(&contest.Spec{Failure: how, Children: v.among(kids)}, v.crowd(&crowd.crowd))
			if err != nil {
				return err
			}
			calm := v.crash(how, e.paced()/2+1, pace)
			crowd.on.Store(true)
			for _, c := range kids {
				if c != v.child {
					c.Fail(how)
				}
			}
			time.Sleep(e.Length() / 5)
			begin, before := time.Now(), crowd.restarts.Load()
			var during []float64
			for time.Since(begin) < e.Length() {
				during = append(during, v.crash(how, 1, pace)...)
			}
			e.report("restarts", float64(crowd.restarts.Load()-before)/time.Since(begin).Seconds())
			crowd.on.Store(false)
			e.report("calm_p50", median(calm))
			e.report("innocent_p50", median(during))
			e.report("innocent_p99", quantile(during, 0.99))
			return e.end(t)
		},
	}
}

// paced is how many paced failures fit into the length.
func (e *Env) paced() int { return max(10, int(e.Length()/pace)) }

// gusts are children that fail at once while it storms.
type gusts struct {
	crowd    crowd
	how      contest.Failure
	on       atomic.Bool
	restarts atomic.Int64
}

// Up is contest.Riser.
func (g *gusts) Up(c *contest.Child) contest.Failure {
	if g.on.Load() {
		g.restarts.Add(1)
		return g.how
	}
	return g.crowd.Up(c)
}
