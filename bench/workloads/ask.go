package workloads

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coppice-go/coppice/bench/contest"
	"github.com/coppice-go/coppice/bench/results"
)

func median(v []float64) float64 { return results.Median(v) }

func quantile(v []float64, q float64) float64 {
	return results.Quantile(slices.Sorted(slices.Values(v)), q)
}

var churn = &Workload{
	Name: "churn", N: "callers",
	About: "Each of n callers of one supervisor starts a child, waits until it has entered its code, terminates it, " +
		"waits until it has ended and is forgotten, and begins anew, for the given length.",
	Metrics: []Metric{{Name: "pairs", Unit: "pairs/s", About: "starts, each with its end, in a second"}},
	Short:   []int{8}, Full: []int{1, 8, 64},
	Run: func(e *Env) error {
		var none crowd
		t, err := e.start(&contest.Spec{Children: idlers(1, &none)}, &none)
		if err != nil {
			return err
		}
		d, ok := t.(contest.Dynamic)
		if !ok {
			return contest.ErrHasNone
		}
		var wg sync.WaitGroup
		var pairs atomic.Int64
		failed := make(chan error, e.N)
		begin := time.Now()
		for i := range e.N {
			wg.Go(func() {
				up := make(arrival, 1)
				for k := 0; time.Since(begin) < e.Length(); k++ {
					c := &contest.Child{Name: "c" + strconv.Itoa(i) + "-" + strconv.Itoa(k), Rise: up}
					stop, err := d.StartChild(c)
					if err == nil {
						<-up
						err = stop()
					}
					if err == nil {
						err = ended(c)
					}
					if err != nil {
						failed <- err
						return
					}
					pairs.Add(1)
				}
			})
		}
		wg.Wait()
		took := time.Since(begin)
		select {
		case err := <-failed:
			return fmt.Errorf("churn: %w", err)
		default:
		}
		e.report("pairs", float64(pairs.Load())/took.Seconds())
		return e.end(t)
	},
}

// arrival tells of one child that has come up.
type arrival chan struct{}

// Up is contest.Riser.
func (a arrival) Up(*contest.Child) contest.Failure {
	a <- struct{}{}
	return contest.Stay
}

// repeat returns how long f says that it took, in microseconds, as often as there is
// time for, but least times at least and a thousand times at most. What comes first
// does not count.
func repeat(least int, length time.Duration, f func() (time.Duration, error)) (took []float64, err error) {
	if _, err := f(); err != nil {
		return nil, err
	}
	for begin := time.Now(); len(took) < least || time.Since(begin) < length && len(took) < 1000; {
		d, err := f()
		if err != nil {
			return nil, err
		}
		took = append(took, micros(d))
	}
	return took, nil
}

var snapshot = &Workload{
	Name: "snapshot", N: "children", Children: true,
	About: "Under one supervisor of n idle children: list every child with its state (the lists of suture, protoactor and " +
		"the floor have no states, Coppice reads into the memory of the list before); count them; each as often as there " +
		"is time for in half the given length, 20 times at least and after one that is not counted. A sibling is made to fail by a returned error (protoactor: a panic) 5 ms after its last restart, timed as in the crash workloads: while nobody reads " +
		"(calm), and while one caller lists all the time (busy), each for half the given length.",
	Metrics: []Metric{
		{Name: "list", Unit: "us", About: "list all children, median", Plot: true},
		{Name: "count", Unit: "us", About: "count all children, median"},
		{Name: "calm_p50", Unit: "us", About: "restart while nobody reads, median"},
		{Name: "busy_p50", Unit: "us", About: "restart while one lists all the time, median"},
		{Name: "busy_p99", Unit: "us", About: "the same, 99 of 100"},
	},
	Short: []int{1_000, 100_000}, Full: []int{1_000, 10_000, 100_000},
	Run: func(e *Env) error {
		var c crowd
		v := newVictim()
		spec := &contest.Spec{Failure: contest.Anyhow, Children: v.among(idlers(e.N, &c))}
		t, err := e.start(spec, v.crowd(&c))
		if err != nil {
			return err
		}
		l, ok := t.(contest.Lister)
		if !ok {
			return contest.ErrHasNone
		}
		for _, ask := range []struct {
			metric string
			call   func() (int, error)
		}{{"list", l.List}, {"count", l.Count}} {
			took, err := repeat(20, e.Length()/2, func() (time.Duration, error) {
				begin := time.Now()
				n, err := ask.call()
				took := time.Since(begin)
				if err == nil && n != e.N+1 {
					err = fmt.Errorf("%s: %d children instead of %d", ask.metric, n, e.N+1)
				}
				return took, err
			})
			if err != nil {
				return err
			}
			e.report(ask.metric, median(took))
		}
		e.report("calm_p50", median(v.crash(contest.Anyhow, e.paced()/2, pace)))
		var over atomic.Bool
		done := make(chan struct{})
		go func() {
			defer close(done)
			for !over.Load() {
				_, _ = l.List()
			}
		}()
		var busy []float64
		for begin := time.Now(); len(busy) < 10 || time.Since(begin) < e.Length()/2; {
			busy = append(busy, v.crash(contest.Anyhow, 1, pace)...)
		}
		over.Store(true)
		<-done
		e.report("busy_p50", median(busy))
		e.report("busy_p99", quantile(busy, 0.99))
		return e.end(t)
	},
}
