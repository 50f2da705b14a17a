package actor_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/coppice-go/coppice/actor"
)

// printer is a service of its own type. What every incarnation must begin anew is
// a variable of Serve; what outlives a restart is a field.
type printer struct {
	jobs    chan string
	printed chan struct{}
}

func (p *printer) Serve(ctx context.Context) error {
	pages := 0
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case job := <-p.jobs:
			if job == "jam" {
				return errors.New("paper jam")
			}
			pages++
			fmt.Printf("%s, page %d\n", job, pages)
			if job == "done" {
				close(p.printed)
			}
		}
	}
}

// Any type with a Serve method is a child.
func ExampleService() {
	p := &printer{jobs: make(chan string, 4), printed: make(chan struct{})}
	for _, job := range []string{"one", "two", "jam", "done"} {
		p.jobs <- job
	}
	run(p.printed, p)
	// Output:
	// one, page 1
	// two, page 2
	// done, page 1
}

// A worker that is done tells so: it is not restarted if it is Transient.
func ExampleShutdown() {
	err := actor.Shutdown(errors.New("no more work"))
	fmt.Println(err, errors.Is(err, actor.ErrShutdown))
	fmt.Println(actor.Classify(err, false, true).Class)
	// Output:
	// shutdown: no more work true
	// shutdown
}
