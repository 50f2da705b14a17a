package tree_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

var hammering = flag.Duration("hammer", 200*time.Millisecond, "how long TestHammer goes on")

// moody is a child that does anything: it fails in every way, late or at once,
// hangs for a while when it is asked to stop, or does what it should.
type moody struct {
	chance    func(n int) int
	calm      bool
	announces bool
}

func (m *moody) AnnouncesReady() bool { return m.announces }

func (m *moody) Serve(ctx context.Context) error {
	if m.chance(3) == 0 {
		runtime.Gosched()
	}
	if m.chance(12) == 0 {
		return errors.New("did not start")
	}
	actor.Ready(ctx)
	if m.calm {
		<-ctx.Done()
		return nil
	}
	select {
	case <-ctx.Done():
		if m.chance(8) == 0 {
			time.Sleep(time.Duration(m.chance(3000)) * time.Millisecond)
		}
		return nil
	case <-time.After(time.Duration(m.chance(4000)) * time.Millisecond):
	}
	switch m.chance(8) {
	case 0:
		panic("moody")
	case 1:
		runtime.Goexit()
	case 2:
		return nil
	case 3:
		return actor.ErrShutdown
	case 4:
		return actor.RetryAfter(time.Second, errBoom)
	}
	return errBoom
}

// grow makes a tree by chance.
func grow(chance func(int) int, depth int, shared func(int) int) tree.Spec {
	s := tree.Spec{Strategy: strategies.Strategy(chance(3)), Intensity: strategies.Intensity{Max: chance(6) + 1, Within: time.Second}}
	if chance(4) == 0 && depth > 0 {
		s.Strategy = strategies.OneForOne
		s.Template = &tree.Template{Child: tree.Child{
			Service: &moody{chance: shared}, Shutdown: time.Second, Restart: strategies.Restart(chance(3)), OnStuck: tree.StuckAbandon,
		}}
		return s
	}
	for i := range chance(4) + 1 {
		c := tree.Child{
			Name: fmt.Sprint("c", i), Restart: strategies.Restart(chance(3)), Shutdown: time.Second,
			OnStuck: tree.OnStuck(chance(2)), Service: &moody{chance: shared, announces: chance(2) == 0, calm: chance(3) == 0},
		}
		switch chance(5) {
		case 0:
			c.Policy.Delay = time.Duration(chance(2000)+1) * time.Millisecond
		case 1:
			c.Policy = strategies.Policy{MaxRestarts: 2, Exhausted: strategies.Exhaustion(chance(2))}
		}
		if depth < 2 && chance(3) == 0 {
			c = tree.Child{Name: c.Name, Restart: c.Restart, Service: grow(chance, depth+1, shared)}
			if chance(2) == 0 {
				spec := c.Service.(tree.Spec)
				c.Service = tree.Init(func(context.Context) (tree.Spec, error) { return spec, nil })
			}
		}
		s.Children = append(s.Children, c)
	}
	return s
}

// anyRequest makes one of the requests, of any path. s is what a new child runs.
func anyRequest(ctx context.Context, t *tree.Tree, chance func(int) int, s actor.Service) error {
	sup := "root"
	for range chance(3) {
		sup += fmt.Sprint("/c", chance(4))
	}
	child := fmt.Sprint(sup, "/", []string{"c", "x", "#"}[chance(3)], chance(4))
	var err error
	switch chance(9) {
	case 0:
		err = t.TerminateChild(ctx, child)
	case 1:
		err = t.RestartChild(ctx, child)
	case 2:
		err = t.ReplaceChild(ctx, child)
	case 3:
		err = t.DeleteChild(ctx, fmt.Sprint(sup, "/x", chance(4)))
	case 4:
		err = t.StartChild(ctx, sup, tree.Child{Name: fmt.Sprint("x", chance(4)), Service: s, Shutdown: time.Second})
	case 5:
		_, err = t.StartInstance(ctx, sup, nil)
	case 6:
		_, err = t.WhichChildren(ctx, sup)
	case 7:
		_, err = t.Snapshot(ctx)
	case 8:
		_, err = t.CountChildren(ctx, sup)
	}
	return err
}

// atOnce makes a source of chance that many goroutines may use.
func atOnce(seed uint64) func(int) int {
	var mu sync.Mutex
	r := rand.New(rand.NewPCG(seed, 2))
	return func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return r.IntN(n)
	}
}

// Programs made by chance: whatever their children do, whatever is asked of them
// and whenever they are stopped, what the events tell is in order.
func TestPrograms(t *testing.T) {
	for seed := range uint64(80) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				chance, check := atOnce(seed), newChecker()
				r := tree.Runner{Logger: slog.New(slog.DiscardHandler), OnEvent: check.see, EventBuffer: 1 << 16}
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(chance(60_000))*time.Millisecond)
				defer cancel()
				tr, err := r.Start(ctx, grow(chance, 0, chance))
				if err == nil {
					var wg sync.WaitGroup
					for range 20 {
						wg.Go(func() {
							time.Sleep(time.Duration(chance(30_000)) * time.Millisecond)
							_ = anyRequest(context.Background(), tr, chance, &moody{chance: chance})
						})
					}
					wg.Wait() // each was answered
					_, _ = tr.Stop(context.Background())
				}
				time.Sleep(time.Minute) // for those that are stuck
				synctest.Wait()
				require.Empty(t, check.verdict())
			})
		})
	}
}

// Hundreds make requests of a tree that fails all the time. Nothing is lost,
// nothing is left, every request is answered.
func TestHammer(t *testing.T) {
	chance, check := atOnce(uint64(time.Now().UnixNano())), newChecker()
	hot := func() actor.Service {
		return actor.Func(func(ctx context.Context) error {
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(time.Duration(chance(3)) * time.Millisecond):
			}
			if chance(2) == 0 {
				panic("hot")
			}
			return errBoom
		})
	}
	spec := tree.Spec{Intensity: unlimited}
	for i, s := range []strategies.Strategy{strategies.OneForOne, strategies.OneForAll, strategies.RestForOne} {
		sub := tree.Spec{Strategy: s, Intensity: strategies.Intensity{Max: 100, Within: time.Second}}
		for n := range 4 {
			sub.Children = append(sub.Children, tree.Child{Name: fmt.Sprint("c", n), Service: hot()})
		}
		spec.Children = append(spec.Children, tree.Child{Name: fmt.Sprint("c", i), Service: sub})
	}
	spec.Children = append(spec.Children, tree.Child{Name: "c3", Service: tree.Spec{Intensity: unlimited, Template: &tree.Template{
		Child: tree.Child{Service: hot(), Restart: strategies.Transient}, MaxInstances: 50,
	}}})
	tr, err := tree.Runner{Logger: slog.New(slog.DiscardHandler), OnEvent: check.see, EventBuffer: 1 << 20}.Start(t.Context(), spec)
	require.NoError(t, err)
	var wg sync.WaitGroup
	var asked atomic.Int64
	end := time.Now().Add(*hammering)
	for range 200 {
		wg.Go(func() {
			for time.Now().Before(end) {
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				if chance(5) == 0 {
					ctx, cancel = context.WithTimeout(context.Background(), time.Duration(chance(1000))*time.Microsecond)
				} else if err := anyRequest(ctx, tr, chance, hot()); errors.Is(err, context.DeadlineExceeded) {
					t.Error("not answered within a minute")
				}
				_ = anyRequest(ctx, tr, chance, hot())
				cancel()
				asked.Add(1)
			}
		})
	}
	wg.Wait()
	_, err = tr.Stop(context.Background())
	require.NoError(t, err)
	require.Empty(t, check.verdict())
	t.Logf("%d requests, %d events", asked.Load(), check.events)
}
