//go:build unix

package proc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"syscall"

	"github.com/coppice-go/coppice/proc"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

// A process as a child: the tree has started when the process has said that it
// is ready, and has stopped when the process is gone.
func ExampleCommand() {
	ctx := context.Background()
	t, err := tree.Start(ctx, tree.Spec{Name: "shop", Children: []tree.Child{{
		Name: "db",
		Service: &proc.Command{
			Path:   "sh",
			Args:   []string{"-c", "trap 'echo bye; exit' TERM; echo ready; while :; do sleep 0.01; done"},
			Ready:  proc.LogLine("^ready$"),
			Stdout: struct{ io.Writer }{os.Stdout}, // a file itself would be the process's, and LogLine see nothing
		},
	}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	db, err := t.Find(ctx, "shop/db")
	fmt.Println(db.Kind, db.State, db.PID > 0, err)
	_, err = t.Stop(ctx)
	fmt.Println("stopped:", err)
	// Output:
	// ready
	// process running true <nil>
	// bye
	// stopped: <nil>
}

// The end of a process that failed says how, and what it complained about.
func ExampleExitError() {
	c := &proc.Command{
		Path: "sh", Args: []string{"-c", "echo disk full >&2; exit 3"},
		Logger: slog.New(slog.DiscardHandler),
	}
	err := c.Serve(context.Background()) // a Command can run without a tree
	var exit *proc.ExitError
	if errors.As(err, &exit) {
		fmt.Println(exit.Code, exit.LastLines)
	}
	fmt.Println(err)
	// Output:
	// 3 [disk full]
	// sh: exit code 3: disk full
}

// A process that is never to wait for its log: what there is no room for would be
// dropped, and counted.
func ExampleOverflow() {
	c := &proc.Command{
		Path: "echo", Args: []string{"hello"},
		Stdout:   struct{ io.Writer }{os.Stdout},
		Overflow: proc.Drop, OutputBuffer: 4 << 20,
	}
	fmt.Println(c.Serve(context.Background()))
	// Output:
	// hello
	// <nil>
}

// A process that is killed is started again.
func ExampleCommand_restart() {
	ctx := context.Background()
	again := make(chan int)
	t, err := tree.Runner{
		Logger: slog.New(slog.DiscardHandler),
		OnEvent: func(e tree.Event) {
			switch e.Kind {
			case tree.ChildEnded:
				fmt.Println("ended:", e.Err)
			case tree.ChildStarted:
				again <- e.Incarnation
			}
		},
	}.Start(ctx, tree.Spec{Children: []tree.Child{{
		Name:    "sleeper",
		Restart: strategies.Transient,
		Service: &proc.Command{Path: "sleep", Args: []string{"1000"}},
	}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("incarnation", <-again)
	n, err := t.Find(ctx, "root/sleeper")
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = syscall.Kill(n.PID, syscall.SIGKILL)
	fmt.Println("incarnation", <-again)
	_, err = t.Stop(ctx)
	fmt.Println("stopped:", err)
	// Output:
	// incarnation 1
	// ended: sleep: signal: killed
	// incarnation 2
	// ended: <nil>
	// stopped: <nil>
}

// A command that cannot be started says so, and what had started is stopped.
func ExampleCommand_notFound() {
	_, err := tree.Runner{Logger: slog.New(slog.DiscardHandler)}.Start(context.Background(), tree.Spec{Children: []tree.Child{
		{Name: "p", Service: &proc.Command{Path: "no-such-program"}},
	}})
	fmt.Println(err)
	// Output:
	// start root/p: start "no-such-program": exec: "no-such-program": executable file not found in $PATH
}
