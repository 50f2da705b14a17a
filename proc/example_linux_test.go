package proc_test

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/coppice-go/coppice/proc"
	"github.com/coppice-go/coppice/tree"
)

var inSilence = tree.Runner{Logger: slog.New(slog.DiscardHandler)}

// A process is reached by its path, for a signal, a reload, or its last lines.
func ExampleTail() {
	ctx := context.Background()
	t, err := inSilence.Start(ctx, tree.Spec{Name: "shop", Children: []tree.Child{{Name: "db", Service: &proc.Command{
		Path: "sh", Args: []string{"-c", "echo loading; echo listening; exec sleep 1000"},
		Ready: proc.LogLine("listening"), Logger: slog.New(slog.DiscardHandler),
	}}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	lines, err := proc.Tail(ctx, t, "shop/db", 10)
	fmt.Println(lines, err)
	fmt.Println(proc.Signal(ctx, t, "shop/web", 0, proc.Leader))
	_, err = t.Stop(ctx)
	fmt.Println(err)
	// Output:
	// [loading listening] <nil>
	// call shop/web: not found
	// <nil>
}

// A process that hangs is stopped, and started again.
func ExampleLiveness() {
	child := tree.Child{Name: "web", Service: &proc.Command{
		Path:  "web-server",
		Ready: proc.TCP{Address: "localhost:8080"},
		Alive: &proc.Liveness{Probe: proc.HTTP{URL: "http://localhost:8080/livez"}, Interval: 5 * time.Second},
		Stop: []proc.StopStep{
			{Command: []string{"web-server", "-quit"}, Wait: 10 * time.Second},
			{Wait: 5 * time.Second}, // SIGTERM; SIGKILL follows in any case
		},
	}, Shutdown: 20 * time.Second}
	fmt.Println(tree.Spec{Children: []tree.Child{child}}.Validate())
	// Output: <nil>
}

// A process speaks as to systemd: when it is ready, what it is doing, and that it is
// alive.
func ExampleNotify() {
	ctx := context.Background()
	t, err := inSilence.Start(ctx, tree.Spec{Name: "shop", Children: []tree.Child{{Name: "db", Service: &proc.Command{
		Path: "python3", Args: []string{"-c", `
import os, socket, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect("\0" + os.environ["NOTIFY_SOCKET"][1:])
s.send(b"READY=1\nSTATUS=3 tables open")
while True:
    time.sleep(int(os.environ["WATCHDOG_USEC"]) / 2e6)
    s.send(b"WATCHDOG=1")`},
		Ready:    proc.Notify{},
		Watchdog: 10 * time.Second,
		Reload:   &proc.Reloading{Await: true}, // proc.Reload returns when it says that it is done
	}}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	n, err := t.Find(ctx, "shop/db")
	fmt.Println(n.Status, err)
	_, err = t.Stop(ctx)
	fmt.Println(err)
	// It prints "3 tables open <nil>" and "<nil>", where there is a python3.
}

// A process with fewer rights than the program.
func ExampleCommand_user() {
	c := &proc.Command{
		Path:   "sh",
		Args:   []string{"-c", "umask; ulimit -n"},
		Umask:  new(fs.FileMode(0o027)),
		Nice:   5,
		Limits: map[proc.Resource]proc.Limit{proc.OpenFiles: {Soft: 64, Hard: 64}},
		Stdin:  proc.Text("for the process to read"),
		Stdout: printer{},
	}
	fmt.Println(c.Serve(context.Background()))
	// Output:
	// 0027
	// 64
	// <nil>
}

// printer prints what it gets.
type printer struct{}

func (printer) Write(b []byte) (int, error) { return fmt.Print(string(b)) }
