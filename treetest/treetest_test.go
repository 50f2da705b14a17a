package treetest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	proto "github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
	"github.com/coppice-go/coppice/treetest"
)

var errBoom = errors.New("boom")

func serve(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// announcing says when it is ready.
type announcing struct{}

func (announcing) AnnouncesReady() bool { return true }

func (announcing) Serve(ctx context.Context) error {
	actor.Ready(ctx)
	return serve(ctx)
}

func echo() *actor.Actor { return actor.Props(proto.PropsFromFunc(func(proto.Context) {})) }

// shop has a child of each kind.
func shop() tree.Spec {
	unlimited := strategies.Intensity{Max: strategies.Unlimited}
	return tree.Spec{Name: "shop", Intensity: unlimited, Children: []tree.Child{
		{Name: "func", Service: actor.Func(serve)},
		{Name: "announcing", Service: announcing{}},
		{Name: "actor", Service: echo()},
		{Name: "sub", Service: tree.Spec{Intensity: unlimited, Children: []tree.Child{{Name: "a", Service: actor.Func(serve)}}}},
		{Name: "init", Service: tree.Init(func(context.Context) (tree.Spec, error) {
			return tree.Spec{Intensity: unlimited, Children: []tree.Child{{Name: "a", Service: actor.Func(serve)}}}, nil
		})},
		{Name: "dyn", Service: &tree.Spec{Intensity: unlimited, Template: &tree.Template{
			New: func(any) (actor.Service, error) { return actor.Func(serve), nil },
		}}},
	}}
}

var paths = []string{"shop/func", "shop/announcing", "shop/actor", "shop/sub/a", "shop/init/a", "shop/dyn/#1", "shop/added"}

// planted is the shop with its later children.
func planted(t testing.TB) *treetest.Tree {
	tt := treetest.Start(t, shop())
	_, err := tt.StartInstance(t.Context(), "shop/dyn", nil)
	require.NoError(t, err)
	require.NoError(t, tt.StartChild(t.Context(), "shop", tree.Child{Name: "added", Service: echo()}))
	tt.Life()
	return tt
}

func TestHurt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tt := planted(t)
		for _, path := range paths {
			tt.Fail(path, errBoom)
			tt.Wait(treetest.Failed(path, errBoom), time.Second)
			tt.Wait(treetest.Started(path).Incarnation(2), time.Second)
			tt.Panic(path, errBoom)
			var p *actor.PanicError
			require.ErrorAs(t, tt.Wait(treetest.Failed(path, errBoom).Incarnation(2), time.Second).Err, &p)
			tt.Wait(treetest.Started(path), time.Second)
			tt.Goexit(path)
			tt.Wait(treetest.Failed(path, actor.ErrGoexit), time.Second)
			tt.Wait(treetest.Planned(path), time.Second)
			tt.Wait(treetest.Started(path), time.Second)
			tt.Fail(path, nil)
			require.Equal(t, actor.ClassNormal, tt.Wait(treetest.Ended(path), time.Second).Class)
			tt.Wait(treetest.Started(path).Incarnation(5), time.Second)
		}
		tt.RequireOrder(treetest.Failed("shop/func", nil), treetest.Started("shop/func").Incarnation(2), treetest.Failed("shop/added", errBoom))
		tt.RequireNone(treetest.GaveUp("shop/func"))
		tt.RequireNone(treetest.Ended("shop/sub"))
	})
}

func TestFailStartsAndDelayReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tt := planted(t)
		for _, path := range []string{"shop/announcing", "shop/actor"} {
			tt.FailStarts(path, 2, errBoom)
			tt.DelayReady(path, time.Minute)
			at := time.Now()
			tt.Fail(path, nil)
			for n := 2; n < 4; n++ {
				require.Equal(t, tree.StartFailed, tt.Wait(treetest.Failed(path, errBoom).Incarnation(n), time.Second).Kind)
			}
			tt.Wait(treetest.Started(path).Incarnation(4), 2*time.Minute)
			require.Equal(t, time.Minute, time.Since(at))
		}
		tt.DelayReady("shop/actor", 0)
		tt.RequireLife("-announcing !announcing2 !announcing3 +announcing4 -actor !actor2 !actor3 +actor4")
	})
}

func TestRefuseStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tt := planted(t)
		for _, path := range []string{"shop/func", "shop/actor"} {
			tt.RefuseStop(path)
			require.ErrorIs(t, tt.TerminateChild(t.Context(), path), tree.ErrStuck)
			tt.Wait(treetest.Stuck(path), time.Second)
			require.ErrorIs(t, tt.RestartChild(t.Context(), path), tree.ErrStuck)
			tt.Release(path)
			synctest.Wait()
			require.NoError(t, tt.RestartChild(t.Context(), path))
		}
		tt.RequireLife("?func !func2 +func3 ?actor !actor2 +actor3")
		tt.Hang("shop/sub/a") // released at the end
	})
}

// beating promises a beat a second, and gives it.
func beating(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
			actor.Beat(ctx)
		}
	}
}

func TestHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tt := treetest.Start(t, tree.Spec{Children: []tree.Child{
			{Name: "a", Service: actor.Func(beating), Heartbeat: 2 * time.Second},
		}})
		time.Sleep(time.Hour)
		tt.RequireLife("+a")
		tt.Hang("root/a")
		time.AfterFunc(5*time.Second, func() { tt.Release("root/a") })
		require.ErrorIs(t, tt.Wait(treetest.Planned("root/a"), 10*time.Second).Err, actor.ErrNoHeartbeat)
		time.Sleep(time.Hour)
		tt.RequireLife("-a +a2")
	})
}

// Outside a bubble, and what a spec says of itself stays.
func TestWrapping(t *testing.T) {
	tt := planted(t)
	n, err := tt.Snapshot(t.Context())
	require.NoError(t, err)
	var kinds []string
	for _, c := range n.Children {
		kinds = append(kinds, c.Kind)
	}
	require.Equal(t, []string{"goroutine", "goroutine", "actor", "supervisor", "supervisor", "supervisor", "actor"}, kinds)
	tt.Fail("shop/func", errBoom)
	e := tt.Wait(treetest.Started("shop/func").Incarnation(2), time.Minute)
	require.Equal(t, e, tt.Events()[e.Seq-1])
}

func TestFailures(t *testing.T) {
	spec := func(children ...tree.Child) tree.Spec { return tree.Spec{Children: children} }
	a := tree.Child{Name: "a", Service: actor.Func(serve)}
	deaf := tree.Child{Name: "a", Shutdown: time.Second, Service: actor.Func(func(context.Context) error {
		time.Sleep(time.Hour)
		return nil
	})}
	down := func(tt *treetest.Tree) { _ = tt.TerminateChild(context.Background(), "root/a") }
	for name, c := range map[string]struct {
		spec tree.Spec
		do   func(*treetest.Tree)
		want string
	}{
		"nil service": {spec(tree.Child{Name: "a"}), nil, "treetest: invalid spec: root/a: Service: nil"},
		"nil func":    {spec(tree.Child{Name: "a", Service: actor.Func(nil)}), nil, "treetest: invalid spec: root/a: Service: nil"},
		"wait":        {spec(a), func(tt *treetest.Tree) { tt.Wait(treetest.Stuck("root/a"), time.Hour) }, "treetest: no stuck root/a within 1h0m0s\nwhat happened:\n  root/a child starting\n  root/a child started\n  root supervisor started\nthe tree:\nroot  running"},
		"wait too late": {spec(a), func(tt *treetest.Tree) {
			down(tt)
			_, _ = tt.Stop(context.Background())
			tt.Wait(treetest.GaveUp("root/a"), time.Hour)
		}, "treetest: root has ended without giving up on root/a"},
		"unknown":        {spec(a), func(tt *treetest.Tree) { tt.Fail("root/b", errBoom) }, "treetest: fail root/b: find root/b: not found"},
		"supervisor":     {shop(), func(tt *treetest.Tree) { tt.Hang("shop/sub") }, "treetest: hang shop/sub: it is a supervisor: hurt one of its children"},
		"not running":    {spec(a), func(tt *treetest.Tree) { down(tt); tt.Panic("root/a", 1) }, "treetest: panic root/a: not running: down"},
		"life":           {spec(a), func(tt *treetest.Tree) { tt.RequireLife("+b") }, "treetest: who came and went:\n  +a\nis not what was expected:\n  +b"},
		"order":          {spec(a), func(tt *treetest.Tree) { tt.RequireOrder(treetest.Started("root/a"), treetest.Ended("root/a")) }, "treetest: no end of root/a after start of root/a"},
		"none":           {spec(a), func(tt *treetest.Tree) { tt.RequireNone(treetest.Started("root/a").Incarnation(1)) }, "treetest: start of root/a #1 was not expected"},
		"does not stop":  {spec(deaf), func(*treetest.Tree) {}, "treetest: root did not stop: stopped in 1.2s\nstill running: root/a, incarnation 1"},
		"does not fail":  {spec(deaf), func(tt *treetest.Tree) { tt.Fail("root/a", errBoom) }, "treetest: fail root/a: it does not end"},
		"does not match": {spec(a), func(tt *treetest.Tree) { tt.Wait(treetest.Failed("root/a", errBoom), time.Second) }, "treetest: no failure of root/a (boom) within 1s"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				said := failure(t, func(t testing.TB) {
					tt := treetest.Start(t, c.spec)
					c.do(tt)
				})
				require.Contains(t, said, c.want)
				time.Sleep(2 * time.Hour)
			})
		})
	}
}

// An incarnation may be hurt as soon as it counts as running, though it may not
// have begun.
func TestHurtAtOnce(t *testing.T) {
	for range 100 {
		tt := treetest.Start(t, tree.Spec{Children: []tree.Child{
			{Name: "a", Service: actor.Func(func(ctx context.Context) error { <-ctx.Done(); return nil })},
		}})
		tt.Fail("root/a", nil)
	}
}
