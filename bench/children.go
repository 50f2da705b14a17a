// Package bench measures Coppice against bare goroutines and against suture, in
// one run and interleaved, so that the ratios mean something on a noisy machine.
// It is a module of its own: importers of Coppice do not get its peers.
package bench

import (
	"context"
	"log/slog"
	"strconv"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

// quiet keeps logging out of the figures.
var quiet = tree.Runner{Logger: slog.New(slog.DiscardHandler), StopTimeout: tree.Infinity}

// unlimited keeps the intensity out of them.
var unlimited = strategies.Intensity{Max: strategies.Unlimited}

func idle(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// idlers are n children that wait for their stop.
func idlers(n int) []tree.Child {
	kids := make([]tree.Child, n)
	for i := range kids {
		kids[i] = tree.Child{Name: "w" + strconv.Itoa(i), Service: actor.Func(idle)}
	}
	return kids
}

// startCoppice starts n children under one supervisor.
func startCoppice(n int) (stop func()) {
	t, err := quiet.Start(context.Background(), tree.Spec{Intensity: unlimited, Children: idlers(n)})
	if err != nil {
		panic(err)
	}
	return func() { _, _ = t.Stop(context.Background()) }
}

// startGoroutines starts n bare goroutines, each acknowledged.
func startGoroutines(n int) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	up, down := make(chan struct{}), make(chan struct{})
	for range n {
		go func() {
			up <- struct{}{}
			<-ctx.Done()
			down <- struct{}{}
		}()
		<-up
	}
	return func() {
		cancel()
		for range n {
			<-down
		}
	}
}
