// Webservice is a program to start from: an HTTP server, a pool of workers, a
// periodic job and a sidecar process under one tree, with /livez and /readyz
// answered from the tree. SIGINT or SIGTERM stops it in order.
//
//	go run ./examples/webservice -addr 127.0.0.1:8080
//
// With -check it tests itself on a free port and exits.
package main

import (
	"flag"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/proc"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

func main() {
	if os.Getenv(sidecarEnv) != "" {
		os.Exit(sidecar())
	}
	addr := flag.String("addr", "127.0.0.1:8080", "where to listen")
	check := flag.Bool("check", false, "test the service on a free port and exit")
	flag.Parse()
	if *check {
		os.Exit(selfCheck())
	}
	os.Exit(tree.Main(service(*addr, nil)))
}

// service is the tree. The sidecar comes first and the server last: it opens when
// all it needs is there, and it closes before anything is taken from it.
func service(addr string, listening chan<- string) tree.Spec {
	queue := make(chan job, 64)
	return tree.Spec{
		Name:      "webservice",
		Strategy:  strategies.OneForOne,
		Intensity: strategies.Intensity{Max: 5, Within: time.Minute},
		Children: []tree.Child{
			{
				Name:    "sidecar",
				Service: &proc.Command{Path: executable(), Env: []string{sidecarEnv + "=1"}, Ready: proc.LogLine("listening")},
				Policy:  strategies.Policy{Backoff: strategies.Backoff{Initial: 100 * time.Millisecond, Max: 10 * time.Second}},
			},
			{Name: "workers", Service: pool(4, queue)},
			{Name: "cleanup", Service: every(10*time.Second, cleanup)},
			{
				Name:         "http",
				Service:      &server{addr: addr, queue: queue, listening: listening},
				StartTimeout: 5 * time.Second,
				Shutdown:     10 * time.Second,
				Policy:       strategies.Policy{Delay: time.Second}, // the port may need a moment
			},
		},
	}
}

// pool is n workers that take from one queue; a job that makes one panic costs
// that job only.
func pool(n int, queue <-chan job) tree.Spec {
	s := tree.Spec{Intensity: strategies.Intensity{Max: 100, Within: time.Minute}}
	for i := range n {
		s.Children = append(s.Children, tree.Child{Name: fmt.Sprintf("w%d", i+1), Service: worker(queue)})
	}
	return s
}

func executable() string {
	self, err := os.Executable()
	if err != nil {
		slog.Warn("no path of my own", "error", err)
		return os.Args[0]
	}
	return self
}

var _ actor.Service = (*server)(nil)
