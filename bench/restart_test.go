package bench

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"testing"
	"time"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/tree"
)

// BenchmarkRestart lets one child fail and waits until it runs again, among n
// siblings. It must not grow with n.
func BenchmarkRestart(b *testing.B) {
	boom := errors.New("boom")
	for _, n := range []int{10, 1_000, 100_000} {
		b.Run(fmt.Sprintf("siblings=%d", n), func(b *testing.B) {
			up, fail := make(chan struct{}), make(chan struct{})
			victim := actor.Func(func(ctx context.Context) error {
				select {
				case up <- struct{}{}:
				case <-ctx.Done():
					return nil
				}
				select {
				case <-fail:
					return boom
				case <-ctx.Done():
					return nil
				}
			})
			kids := append(idlers(n), tree.Child{Name: "victim", Service: victim})
			t, err := quiet.Start(context.Background(), tree.Spec{Intensity: unlimited, Children: kids})
			if err != nil {
				b.Fatal(err)
			}
			<-up
			var took []time.Duration
			for b.Loop() {
				t0 := time.Now()
				fail <- struct{}{}
				<-up
				took = append(took, time.Since(t0))
			}
			sort.Slice(took, func(i, j int) bool { return took[i] < took[j] })
			b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "p50-ns")
			if _, err := t.Stop(context.Background()); err != nil {
				b.Fatal(err)
			}
		})
	}
}
