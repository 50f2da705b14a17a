package tree_test

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	proto "github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

// Package bench compares with others and measures what many children cost. What
// is here is for one who changes this package: time and allocations of one start,
// restart and snapshot.

var unwatched = tree.Runner{Logger: slog.New(slog.DiscardHandler), StopTimeout: tree.Infinity}

func waiting(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

func waiters(n int) []tree.Child {
	kids := make([]tree.Child, n)
	for i := range kids {
		kids[i] = tree.Child{Name: "w" + strconv.Itoa(i), Service: actor.Func(waiting)}
	}
	return kids
}

func startBench(b *testing.B, spec tree.Spec) *tree.Tree {
	b.Helper()
	spec.Intensity = unlimited
	t, err := unwatched.Start(b.Context(), spec)
	require.NoError(b, err)
	b.Cleanup(func() {
		_, err := t.Stop(context.Background())
		require.NoError(b, err)
	})
	return t
}

// BenchmarkStart starts and stops trees, with an actor system each.
func BenchmarkStart(b *testing.B) {
	for _, n := range []int{10, 1_000} {
		spec := tree.Spec{Intensity: unlimited, Children: waiters(n)}
		b.Run("children="+strconv.Itoa(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				t, err := unwatched.Start(context.Background(), spec)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := t.Stop(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkStartChild starts and terminates one child of a tree that runs.
func BenchmarkStartChild(b *testing.B) {
	t := startBench(b, tree.Spec{Children: waiters(10)})
	child := tree.Child{Name: "new", Service: actor.Func(waiting), Restart: strategies.Temporary}
	b.ReportAllocs()
	for b.Loop() {
		if err := t.StartChild(b.Context(), "root", child); err != nil {
			b.Fatal(err)
		}
		if err := t.TerminateChild(b.Context(), "root/new"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRestart lets a child fail and waits until it runs again.
func BenchmarkRestart(b *testing.B) {
	for _, how := range []string{"error", "panic"} {
		for _, n := range []int{10, 10_000} {
			b.Run(fmt.Sprintf("%s/siblings=%d", how, n), func(b *testing.B) {
				up, fail := make(chan struct{}), make(chan struct{})
				victim := actor.Func(func(ctx context.Context) error {
					select {
					case up <- struct{}{}:
					case <-ctx.Done():
						return nil
					}
					select {
					case <-fail:
					case <-ctx.Done():
						return nil
					}
					if how == "panic" {
						panic(errBoom)
					}
					return errBoom
				})
				go func() { <-up }() // the first start, which Start need not have seen
				startBench(b, tree.Spec{Children: append(waiters(n), tree.Child{Name: "victim", Service: victim})})
				b.ReportAllocs()
				for b.Loop() {
					fail <- struct{}{}
					<-up
				}
			})
		}
	}
}

// BenchmarkEscalation lets a worker fail below supervisors none of which restarts
// anything, so that it climbs to the root, which restarts all.
func BenchmarkEscalation(b *testing.B) {
	const levels = 10
	up, fail := make(chan struct{}), make(chan struct{})
	var left atomic.Int64
	begin := func() {
		if left.Add(-1) == 0 {
			up <- struct{}{}
		}
	}
	worker := actor.Func(func(ctx context.Context) error {
		begin()
		<-ctx.Done()
		return nil
	})
	lowest := actor.Func(func(ctx context.Context) error {
		begin()
		select {
		case <-fail:
			return errBoom
		case <-ctx.Done():
			return nil
		}
	})
	spec := tree.Spec{Intensity: none, Children: []tree.Child{{Name: "worker", Service: lowest}}}
	n := int64(1)
	for i := range levels {
		var kids []tree.Child
		if i < levels-1 {
			for j := range 3 {
				kids = append(kids, tree.Child{Name: "w" + strconv.Itoa(j), Service: worker})
				n++
			}
		}
		below := spec
		kids = append(kids, tree.Child{Name: "sup" + strconv.Itoa(i), Service: below})
		spec = tree.Spec{Intensity: none, Children: kids}
	}
	left.Store(n)
	startBench(b, spec)
	<-up
	b.ReportAllocs()
	for b.Loop() {
		left.Store(n)
		fail <- struct{}{}
		<-up
	}
}

// BenchmarkSnapshot takes one of a tree: a new one, or where the one before was.
func BenchmarkSnapshot(b *testing.B) {
	for _, again := range []bool{false, true} {
		for _, n := range []int{10, 1_000, 10_000, 100_000} {
			b.Run(fmt.Sprintf("children=%d/again=%v", n, again), func(b *testing.B) {
				t := startBench(b, tree.Spec{Children: waiters(n)})
				var node tree.Node
				b.ReportAllocs()
				for b.Loop() {
					if !again {
						node = tree.Node{}
					}
					if err := t.ReadSnapshot(b.Context(), &node); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkMessage is what a message to an actor costs: one of many that want no
// answer, a round trip between two actors of a tree, and from outside protoactor's request
// and the tree's own call.
func BenchmarkMessage(b *testing.B) {
	type ping struct{}
	type last chan struct{}
	var t *tree.Tree
	start := func(b *testing.B) (*proto.RootContext, *proto.PID, *proto.PID) {
		echo := proto.PropsFromFunc(func(c proto.Context) {
			switch m := c.Message().(type) {
			case *ping:
				c.Respond(m)
			case last:
				close(m)
			}
		})
		var left int
		var done last
		to := proto.NewPID("nonhost", "root/echo")
		peer := proto.PropsFromFunc(func(c proto.Context) {
			switch m := c.Message().(type) {
			case int:
				left = m
				c.Request(to, &ping{})
			case last:
				done = m
			case *ping:
				if left--; left > 0 {
					c.Request(to, m)
				} else {
					close(done)
				}
			}
		})
		t = startBench(b, tree.Spec{Children: []tree.Child{
			{Name: "echo", Service: actor.Props(echo)}, {Name: "peer", Service: actor.Props(peer)},
		}})
		b.ReportAllocs()
		b.ResetTimer()
		return t.System().Root, t.PID("root/echo"), t.PID("root/peer")
	}
	b.Run("tell", func(b *testing.B) {
		root, echo, _ := start(b)
		done := make(last)
		for range b.N {
			root.Send(echo, &struct{}{})
		}
		root.Send(echo, done)
		<-done
	})
	b.Run("roundtrip", func(b *testing.B) {
		root, _, peer := start(b)
		done := make(last)
		root.Send(peer, done)
		root.Send(peer, b.N)
		<-done
	})
	b.Run("call", func(b *testing.B) {
		start(b)
		for range b.N {
			if _, err := t.Call(context.Background(), "root/echo", &ping{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("request", func(b *testing.B) {
		root, echo, _ := start(b)
		for range b.N {
			if _, err := root.RequestFuture(echo, &ping{}, time.Second).Result(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
