package actor_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	proto "github.com/asynkron/protoactor-go/actor"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/tree"
)

// A child with a Heartbeat that hangs is stopped and started again.
func ExampleBeat() {
	done := make(chan struct{})
	recovered := sync.OnceFunc(func() { fmt.Println("beating again"); close(done) })
	poller := actor.Func(func(ctx context.Context) error {
		if id, _ := actor.Self(ctx); id.Incarnation == 1 {
			<-ctx.Done() // it hangs and does not beat
			fmt.Println(errors.Is(context.Cause(ctx), actor.ErrUnhealthy))
			return nil
		}
		actor.Beat(ctx) // with every round
		recovered()
		<-ctx.Done()
		return nil
	})
	t, err := tree.Runner{Logger: slog.New(slog.DiscardHandler)}.Start(context.Background(), tree.Spec{
		Name:     "shop",
		Children: []tree.Child{{Name: "poller", Service: poller, Heartbeat: 10 * time.Millisecond}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	<-done
	_, _ = t.Stop(context.Background())
	// Output:
	// true
	// beating again
}

// What a child says of itself is in the snapshot.
func ExampleSetStatus() {
	t, err := tree.Runner{Logger: slog.New(slog.DiscardHandler)}.Start(context.Background(), tree.Spec{
		Name: "shop",
		Children: []tree.Child{{Name: "till", StartTimeout: time.Minute, Service: actor.Func(func(ctx context.Context) error {
			actor.SetStatus(ctx, actor.Status{Text: "12 receipts"})
			actor.Ready(ctx)
			<-ctx.Done()
			return nil
		})}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	node, err := t.Snapshot(context.Background())
	fmt.Println(node.Children[0].Status, err)
	_, _ = t.Stop(context.Background())
	// Output:
	// 12 receipts <nil>
}

// An actor ends for a reason of its choice, and its context ends with it.
func ExampleExit() {
	ended := make(chan struct{})
	run(ended, actor.Props(proto.PropsFromFunc(func(c proto.Context) {
		switch c.Message().(type) {
		case *proto.Started:
			c.Send(c.Self(), "work")
		case string:
			ctx := actor.Context(c)
			context.AfterFunc(ctx, func() {
				fmt.Println(context.Cause(ctx))
				close(ended)
			})
			actor.Exit(c, actor.Shutdown(errors.New("no more work")))
		}
	})))
	// Output:
	// ended (shop/child1)
}
