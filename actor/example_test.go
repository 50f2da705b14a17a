package actor_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	proto "github.com/asynkron/protoactor-go/actor"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

// run runs the services as a tree until done is closed.
func run(done <-chan struct{}, services ...actor.Service) *tree.Tree {
	spec := tree.Spec{Name: "shop"}
	for i, s := range services {
		spec.Children = append(spec.Children, tree.Child{Name: fmt.Sprint("child", i+1), Service: s, Restart: strategies.Transient})
	}
	t, err := tree.Runner{Logger: slog.New(slog.DiscardHandler)}.Start(context.Background(), spec)
	if err != nil {
		fmt.Println(err)
		return nil
	}
	<-done
	_, _ = t.Stop(context.Background())
	return t
}

// Any function that runs until its context ends.
func ExampleFunc() {
	done := make(chan struct{})
	run(done, actor.Func(func(ctx context.Context) error {
		id, _ := actor.Self(ctx)
		fmt.Println("I am", id.Path)
		close(done)
		<-ctx.Done()
		fmt.Println("because:", context.Cause(ctx))
		return nil
	}))
	// Output:
	// I am shop/child1
	// because: supervisor is stopping (shop)
}

// database is a service of its own type. It says when it can serve.
type database struct{ warm time.Duration }

func (database) AnnouncesReady() bool { return true }

func (d database) Serve(ctx context.Context) error {
	time.Sleep(d.warm)
	fmt.Println("the database is ready")
	actor.Ready(ctx)
	<-ctx.Done()
	fmt.Println("the database closes last")
	return nil
}

// What comes after an Announcer starts when it is ready.
func ExampleAnnouncer() {
	done := make(chan struct{})
	run(done, database{warm: time.Millisecond}, actor.Func(func(ctx context.Context) error {
		fmt.Println("the shop opens")
		close(done)
		<-ctx.Done()
		fmt.Println("the shop closes first")
		return nil
	}))
	// Output:
	// the database is ready
	// the shop opens
	// the shop closes first
	// the database closes last
}

// A protoactor actor as a child: its address stays when it is restarted.
func ExampleProps() {
	greeter := actor.Props(proto.PropsFromFunc(func(c proto.Context) {
		switch name := c.Message().(type) {
		case string:
			if name == "" {
				panic("nobody")
			}
			id, _ := actor.Self(actor.Context(c))
			c.Respond(fmt.Sprintf("hello %s, from incarnation %d", name, id.Incarnation))
		}
	}))
	t, err := tree.Runner{Logger: slog.New(slog.DiscardHandler)}.Start(context.Background(), tree.Spec{
		Name: "shop", Children: []tree.Child{{Name: "greeter", Service: greeter}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	events := t.Subscribe(10)
	ask := func(name string) {
		answer, err := t.Call(context.Background(), "shop/greeter", name)
		fmt.Println(answer, err)
	}
	ask("ann")
	ask("")
	for e := range events.C {
		if e.Kind == tree.ChildStarted {
			break
		}
	}
	ask("bob")
	_, _ = t.Stop(context.Background())
	// Output:
	// hello ann, from incarnation 1 <nil>
	// <nil> call shop/greeter: not running: incarnation 1 has ended: panic: nobody
	// hello bob, from incarnation 2 <nil>
}

// What a restart cannot mend ends the supervisor.
func ExampleEscalate() {
	err := tree.Runner{Logger: slog.New(slog.DiscardHandler)}.Run(context.Background(), tree.Spec{Name: "shop", Children: []tree.Child{
		{Name: "till", Service: actor.Func(func(context.Context) error {
			return actor.Escalate(errors.New("no such table"))
		})},
	}})
	fmt.Println(err)
	// Output:
	// shop gave up (escalate): shop/till: escalate: no such table
}

// The server said when to come back.
func ExampleRetryAfter() {
	err := actor.RetryAfter(30*time.Second, errors.New("429 Too Many Requests"))
	fmt.Println(err)
	// Output:
	// 429 Too Many Requests (retry after 30s)
}
