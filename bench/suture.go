package bench

import (
	"context"

	"github.com/thejerf/suture/v4"
)

type sutureIdler struct{ up chan<- struct{} }

func (s sutureIdler) Serve(ctx context.Context) error {
	s.up <- struct{}{}
	<-ctx.Done()
	return nil
}

func newSuture() *suture.Supervisor {
	return suture.New("bench", suture.Spec{EventHook: func(suture.Event) {}, FailureThreshold: 1e9, FailureBackoff: 1})
}

// startSuture starts n children under one suture supervisor and waits for them.
func startSuture(n int) (stop func()) {
	up := make(chan struct{}, 1024)
	sup := newSuture()
	for range n {
		sup.Add(sutureIdler{up})
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := sup.ServeBackground(ctx)
	for range n {
		<-up
	}
	return func() {
		cancel()
		<-done
	}
}
