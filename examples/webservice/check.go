package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/coppice-go/coppice/tree"
)

// selfCheck runs the service, uses it, kills its sidecar and stops it.
func selfCheck() int {
	if err := try(); err != nil {
		fmt.Fprintln(os.Stderr, "check failed:", err)
		return 1
	}
	fmt.Println("check passed")
	return 0
}

func try() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	listening := make(chan string, 8)
	t, err := tree.Start(ctx, service("127.0.0.1:0", listening))
	if err != nil {
		return err
	}
	url := "http://" + <-listening
	for _, step := range []func() error{
		func() error { return expect(url+"/livez", http.StatusOK, "ok\n") },
		func() error { return expect(url+"/readyz", http.StatusOK, "ok\n") },
		func() error { return expect(url+"/upper/coppice", http.StatusOK, "COPPICE\n") },
		func() error { return expect(url+"/upper/panic", http.StatusBadGateway, "no answer\n") },
		func() error { return killSidecar(ctx, t) },
		func() error { return expect(url+"/readyz", http.StatusOK, "ok\n") },
	} {
		if err := step(); err != nil {
			_, _ = t.Stop(ctx)
			return err
		}
	}
	n, err := t.Snapshot(ctx)
	if err != nil {
		return err
	}
	fmt.Print(n)
	report, err := t.Stop(ctx)
	fmt.Println(report)
	return err
}

func expect(url string, code int, body string) error {
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != code || string(text) != body {
		return fmt.Errorf("%s: %d %q, wanted %d %q", url, resp.StatusCode, text, code, body)
	}
	return nil
}

// killSidecar kills the process and waits until its next incarnation is ready.
func killSidecar(ctx context.Context, t *tree.Tree) error {
	const path = "webservice/sidecar"
	events := t.Subscribe(64)
	defer events.Close()
	n, err := t.Find(ctx, path)
	if err != nil {
		return err
	}
	p, err := os.FindProcess(n.PID)
	if err != nil {
		return err
	}
	if err := p.Kill(); err != nil {
		return err
	}
	for {
		select {
		case e, ok := <-events.C:
			if !ok {
				return t.Wait(ctx)
			}
			if e.Kind == tree.ChildStarted && e.Path == path {
				return nil
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
