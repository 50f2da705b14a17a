package main

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/tree"
	"github.com/coppice-go/coppice/treetest"
)

// A worker that fails is started again, and the others do not notice.
func TestPoolHeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := treetest.Start(t, tree.Spec{Name: "web", Children: []tree.Child{{Name: "workers", Service: pool(3, make(chan job))}}})
		pool.Life()
		pool.Panic("web/workers/w2", "a job that nobody thought of")
		pool.Wait(treetest.Started("web/workers/w2").Incarnation(2), time.Second)
		pool.RequireLife("-workers/w2 +workers/w22")
	})
}

// Workers that fail all the time take the pool down, and it comes back once.
func TestPoolGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := treetest.Start(t, tree.Spec{Name: "web", Children: []tree.Child{{Name: "workers", Service: pool(1, make(chan job))}}})
		pool.FailStarts("web/workers/w1", 1000, errors.New("out of memory"))
		pool.Fail("web/workers/w1", nil)
		pool.Wait(treetest.GaveUp("web/workers/w1"), time.Minute)
		pool.Wait(treetest.Planned("web/workers"), time.Second)
		<-pool.Done() // twice within five seconds is once too often
		pool.Wait(treetest.GaveUp("web/workers"), time.Second)
	})
}
