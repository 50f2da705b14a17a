package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/tree"
)

// job is work for the pool; the answer goes to reply, which has room for it.
type job struct {
	text  string
	reply chan<- string
}

func worker(queue <-chan job) actor.Func {
	return func(ctx context.Context) error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case j := <-queue:
				if j.text == "panic" {
					panic("a job that nobody thought of")
				}
				j.reply <- strings.ToUpper(j.text)
			}
		}
	}
}

// every calls f periodically. An error makes the supervisor log it and start anew.
func every(d time.Duration, f func(context.Context) error) actor.Func {
	return func(ctx context.Context) error {
		tick := time.NewTicker(d)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
				if err := f(ctx); err != nil {
					return err
				}
			}
		}
	}
}

func cleanup(context.Context) error {
	slog.Info("cleaning up")
	return nil
}

// server is the HTTP server as a child: ready when it listens, and shut down
// gracefully when it is asked to stop.
type server struct {
	addr      string
	queue     chan<- job
	listening chan<- string
}

func (s *server) Serve(ctx context.Context) error {
	l, err := net.Listen("tcp", s.addr)
	if err != nil {
		return err
	}
	h := &http.Server{Handler: s.routes(ctx), ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- h.Serve(l) }()
	actor.Ready(ctx)
	actor.SetStatus(ctx, actor.Status{Text: "http://" + l.Addr().String()})
	if s.listening != nil {
		s.listening <- l.Addr().String()
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	// Requests in flight may finish; Child.Shutdown bounds how long.
	err = h.Shutdown(context.WithoutCancel(ctx))
	<-failed
	return err
}

func (s *server) routes(ctx context.Context) http.Handler {
	t, _ := tree.From(ctx)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, r *http.Request) { report(w, t, live) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) { report(w, t, ready) })
	mux.HandleFunc("GET /tree", func(w http.ResponseWriter, r *http.Request) {
		n, err := t.Snapshot(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(n)
	})
	mux.HandleFunc("GET /upper/{text}", s.upper)
	return mux
}

func (s *server) upper(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	reply := make(chan string, 1)
	select {
	case s.queue <- job{r.PathValue("text"), reply}:
	case <-ctx.Done():
		http.Error(w, "busy", http.StatusServiceUnavailable)
		return
	}
	select {
	case text := <-reply:
		fmt.Fprintln(w, text)
	case <-ctx.Done():
		http.Error(w, "no answer", http.StatusBadGateway)
	}
}

// live: nothing is stuck. A restart of the program would help if it were.
func live(n *tree.Node) error {
	if n.Stuck > 0 {
		return fmt.Errorf("%s is stuck", n.Path)
	}
	return nil
}

// ready: everything runs.
func ready(n *tree.Node) error {
	if n.State != tree.Running {
		return fmt.Errorf("%s is %v", n.Path, n.State)
	}
	return nil
}

// report answers 200, or 503 with what is wrong.
func report(w http.ResponseWriter, t *tree.Tree, check func(*tree.Node) error) {
	n, err := t.Snapshot(context.Background())
	if err == nil {
		var all []error
		n.Walk(func(m *tree.Node) bool {
			all = append(all, check(m))
			return true
		})
		err = errors.Join(all...)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

const sidecarEnv = "COPPICE_WEBSERVICE_SIDECAR"

// sidecar stands for a program that the service needs beside it.
func sidecar() int {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	fmt.Println("sidecar: listening")
	<-ctx.Done()
	fmt.Println("sidecar: bye")
	return 0
}
