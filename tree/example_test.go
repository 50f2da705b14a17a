package tree_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

// serve stands for a service of yours: it runs until it is asked to stop.
func serve(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// A program's main: run the tree until SIGINT or SIGTERM.
func ExampleMain() {
	os.Exit(tree.Main(tree.Spec{Name: "shop", Children: []tree.Child{
		{Name: "web", Service: actor.Func(serve)},
		{Name: "jobs", Service: actor.Func(serve)},
	}}))
}

// A tree runs until its context ends.
func ExampleRun() {
	ctx, cancel := context.WithCancel(context.Background())
	err := tree.Run(ctx, tree.Spec{Children: []tree.Child{
		{Name: "job", Service: actor.Func(func(ctx context.Context) error {
			fmt.Println("working")
			cancel() // enough for an example
			<-ctx.Done()
			return nil
		})},
	}})
	fmt.Println("ended:", err)
	// Output:
	// working
	// ended: <nil>
}

// Supervisors nest: a Spec is the Service of a child. Events tell what happens.
func ExampleRunner() {
	broken := true
	spec := tree.Spec{Name: "shop", Strategy: strategies.RestForOne, Children: []tree.Child{
		{Name: "stock", Service: actor.Func(func(ctx context.Context) error {
			if broken {
				broken = false
				return errors.New("connection lost")
			}
			return serve(ctx)
		})},
		{Name: "orders", Service: tree.Spec{Children: []tree.Child{
			{Name: "mail", Service: actor.Func(serve)},
		}}},
	}}
	healed := make(chan struct{})
	t, err := tree.Runner{
		Logger: slog.New(slog.DiscardHandler),
		OnEvent: func(e tree.Event) {
			if e.Kind == tree.RestartPlanned {
				fmt.Printf("%s failed: %v\n", e.Path, e.Err)
			}
			if e.Kind == tree.ChildStarted && e.Path == "shop/stock" && e.Incarnation == 2 {
				fmt.Println(e.Path, "is back")
				close(healed)
			}
		},
	}.Start(context.Background(), spec)
	if err != nil {
		fmt.Println(err)
		return
	}
	<-healed
	report, err := t.Stop(context.Background())
	fmt.Println(len(report.Stuck), "stuck,", err)
	// Output:
	// shop/stock failed: connection lost
	// shop/stock is back
	// 0 stuck, <nil>
}

// A dynamic supervisor: one template, instances by argument.
func ExampleTree_StartInstance() {
	t, err := tree.Start(context.Background(), tree.Spec{Name: "sessions", Template: &tree.Template{
		Child: tree.Child{Restart: strategies.Temporary},
		New: func(user any) (actor.Service, error) {
			return actor.Func(func(ctx context.Context) error {
				actor.SetStatus(ctx, actor.Status{Text: fmt.Sprint("of ", user)})
				actor.Ready(ctx)
				return serve(ctx)
			}), nil
		},
		MaxInstances: 2,
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	for _, user := range []string{"ann", "bob", "eve"} {
		path, err := t.StartInstance(ctx, "sessions", user)
		fmt.Println(path, err)
	}
	_, _ = t.Stop(ctx)
	// Output:
	// sessions/#1 <nil>
	// sessions/#2 <nil>
	//  start instance sessions: maximum of children reached
}

// Requests reach every depth by path.
func ExampleTree_TerminateChild() {
	t, err := tree.Start(context.Background(), tree.Spec{Name: "shop", Children: []tree.Child{
		{Name: "orders", Service: tree.Spec{Children: []tree.Child{{Name: "mail", Service: actor.Func(serve)}}}},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	state := func() {
		n, err := t.Find(ctx, "shop/orders/mail")
		fmt.Println(n.State, err)
	}
	fmt.Println(t.TerminateChild(ctx, "shop/orders/mail"))
	state()
	fmt.Println(t.RestartChild(ctx, "shop/orders/mail"))
	state()
	err = t.TerminateChild(ctx, "shop/orders/nobody")
	fmt.Println(errors.Is(err, tree.ErrNotFound), err)
	_, _ = t.Stop(ctx)
	// Output:
	// <nil>
	// down <nil>
	// <nil>
	// running <nil>
	// true terminate child shop/orders/nobody: not found
}

// A child finds its tree through its context, and can add siblings.
func ExampleFrom() {
	done := make(chan error)
	t, err := tree.Start(context.Background(), tree.Spec{Children: []tree.Child{
		{Name: "listener", Service: actor.Func(func(ctx context.Context) error {
			if t, ok := tree.From(ctx); ok {
				done <- t.StartChild(ctx, "root", tree.Child{Name: "connection", Service: actor.Func(serve), Restart: strategies.Temporary})
			}
			return serve(ctx)
		})},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(<-done)
	n, _ := t.Snapshot(context.Background())
	for _, c := range n.Children {
		fmt.Println(c.Path, c.State)
	}
	_, _ = t.Stop(context.Background())
	// Output:
	// <nil>
	// root/listener running
	// root/connection running
}
