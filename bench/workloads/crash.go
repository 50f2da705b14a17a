package workloads

import (
	"slices"
	"time"

	"github.com/coppice-go/coppice/bench/contest"
	"github.com/coppice-go/coppice/bench/results"
)

const (
	bursts   = 20
	perBurst = 100
)

var (
	crashByError = crash("crash-error", "returns an error (in Erlang: exit(boom))", contest.ByError)
	crashByPanic = crash("crash-panic", "panics (in Erlang: error(boom)), the contestant keeping what stack it keeps", contest.ByPanic)
)

// crash is a restart of one child among n siblings.
func crash(name, way string, how contest.Failure) *Workload {
	return &Workload{
		Name: name, N: "idle siblings", Children: true,
		About: "One child, in the middle of n idle siblings under one one-for-one supervisor, " + way + ", as soon as its last " +
			"restart is known: 20 bursts of 100, after one that is not counted. Each restart is timed from just before the child fails until its " +
			"next incarnation enters its own code, both by the child itself. Restarts are at once and without limit; of OTP's supervisor, " +
			"whose restarts cost more the more of them there were in the last second, the count is emptied between bursts.",
		Metrics: []Metric{
			{Name: "p50", Unit: "us", About: "failure to running again, median", Plot: true},
			{Name: "p99", Unit: "us", About: "failure to running again, 99 of 100", Plot: true},
			{Name: "max", Unit: "us", About: "failure to running again, worst of 2,000"},
		},
		Short: []int{10, 10_000, 100_000}, Full: []int{10, 100, 1_000, 10_000, 100_000},
		Run: func(e *Env) error {
			var c crowd
			v := newVictim()
			spec := &contest.Spec{Failure: how, Children: v.among(idlers(e.N, &c))}
			t, err := e.start(spec, v.crowd(&c))
			if err != nil {
				return err
			}
			v.crash(how, perBurst, 0)
			e.percentiles("", v.crash(how, bursts*perBurst, 0))
			return e.end(t)
		},
	}
}

// percentiles reports p50, p99 and max.
func (e *Env) percentiles(prefix string, us []float64) {
	slices.Sort(us)
	e.report(prefix+"p50", results.Quantile(us, 0.5))
	e.report(prefix+"p99", results.Quantile(us, 0.99))
	e.report(prefix+"max", us[len(us)-1])
}

// victim is a child that is made to fail and notes when it is up again.
type victim struct {
	child *contest.Child
	rose  time.Time
	up    chan struct{}
	also  contest.Riser // of its first start
}

func newVictim() *victim {
	v := &victim{up: make(chan struct{}, 1)}
	v.child = (&contest.Child{Name: "victim", Rise: v}).Victim()
	return v
}

// crowd makes the victim's first start count in c.
func (v *victim) crowd(c *crowd) *crowd {
	v.also = c
	return c
}

// among puts the victim in the middle of others.
func (v *victim) among(others []*contest.Child) []*contest.Child {
	return slices.Insert(others, len(others)/2, v.child)
}

// Up is contest.Riser.
func (v *victim) Up(c *contest.Child) contest.Failure {
	if v.also != nil {
		first := v.also
		v.also = nil
		return first.Up(c)
	}
	v.rose = time.Now()
	v.up <- struct{}{}
	return contest.Stay
}

// crash makes it fail n times, pause lying between, and returns how long each
// restart took, in microseconds.
func (v *victim) crash(how contest.Failure, n int, pause time.Duration) []float64 {
	took := make([]float64, 0, n)
	for range n {
		time.Sleep(pause)
		v.child.Fail(how)
		<-v.up
		took = append(took, micros(v.rose.Sub(v.child.Died())))
	}
	return took
}
