package tree

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/tree/internal/machine"
)

// What starts while a snapshot waits for the supervisor's lock has not been up for
// less than no time.
func TestUptimeIsNotNegative(t *testing.T) {
	spec := &Spec{}
	for i := range 10 * piece {
		spec.Children = append(spec.Children, Child{Name: fmt.Sprint(i), Service: actor.Func(nil)})
	}
	s := newSupervisor(Runner{}.newTree(t.Context()), nil, "root", spec, nil, nil)
	restartAll := func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.m.Slots(func(slot *machine.Slot) bool {
			slot.State, slot.Started = machine.Running, time.Now()
			return true
		})
	}
	restartAll()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 2000 {
			restartAll()
		}
	}()
	var n Node
	var least time.Duration
	for over := false; !over; {
		select {
		case <-done:
			over = true
		default:
		}
		s.snapshot(&n)
		for i := range n.Children {
			least = min(least, n.Children[i].Uptime)
		}
	}
	require.Zero(t, least)
}
