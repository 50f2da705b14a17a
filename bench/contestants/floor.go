package contestants

import (
	"context"
	"slices"
	"sync"

	"github.com/coppice-go/coppice/bench/contest"
)

// floor is what a supervisor by hand comes to: a goroutine for each child, which
// recovers, and one that starts them again. It knows no limits but none and zero,
// no graces, no names and no states.
type floor struct{}

type floorTree struct {
	kids   []*floorChild
	spec   *contest.Spec
	up     chan struct{}
	failed chan *floorChild
	ask    chan func()
	stop   chan struct{}
	ended  chan struct{}
	gaveUp func() // nil: the root
}

type floorChild struct {
	spec   *contest.Child
	at     int
	cancel context.CancelFunc
	done   chan struct{}
	sub    *floorTree
}

func (floor) Start(spec *contest.Spec) (contest.Tree, error) {
	return startFloor(spec, nil), nil
}

func startFloor(spec *contest.Spec, gaveUp func()) *floorTree {
	t := &floorTree{
		spec: spec, up: make(chan struct{}), failed: make(chan *floorChild), ask: make(chan func()),
		stop: make(chan struct{}), ended: make(chan struct{}), gaveUp: gaveUp,
	}
	t.kids = make([]*floorChild, len(spec.Children))
	for i, c := range spec.Children {
		t.kids[i] = &floorChild{spec: c, at: i}
		t.start(t.kids[i])
	}
	go t.supervise()
	return t
}

// start starts the child and waits until its goroutine runs.
func (t *floorTree) start(k *floorChild) {
	if k.spec.Sub != nil {
		k.sub = startFloor(k.spec.Sub, func() { t.tell(k) })
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	k.cancel, k.done = cancel, make(chan struct{})
	go t.run(ctx, k)
	<-t.up
}

func (t *floorTree) run(ctx context.Context, k *floorChild) {
	done := k.done
	defer func() {
		_ = recover()
		close(done)
		if ctx.Err() == nil {
			t.tell(k)
		}
	}()
	t.up <- struct{}{}
	_ = k.spec.Serve(ctx)
}

func (t *floorTree) tell(k *floorChild) {
	select {
	case t.failed <- k:
	case <-t.ended:
	}
}

// end stops the child and waits for it.
func (k *floorChild) end() {
	if k.sub != nil {
		_ = k.sub.Stop()
		return
	}
	k.cancel()
	<-k.done
}

func (t *floorTree) supervise() {
	defer close(t.ended)
	for {
		select {
		case k := <-t.failed:
			if t.spec.GiveUp {
				t.endFrom(0)
				go t.gaveUp()
				return
			}
			t.restart(k)
		case f := <-t.ask:
			f()
		case <-t.stop:
			t.endFrom(0)
			return
		}
	}
}

func (t *floorTree) restart(k *floorChild) {
	from, to := k.at, k.at+1
	switch t.spec.Strategy {
	case contest.OneForAll:
		from, to = 0, len(t.kids)
	case contest.RestForOne:
		to = len(t.kids)
	}
	if to-from > 1 {
		t.endFrom(from)
	} else if k.cancel != nil {
		k.cancel()
	}
	for _, k := range t.kids[from:to] {
		t.start(k)
	}
}

// endFrom stops the children from that one on, the last one first.
func (t *floorTree) endFrom(from int) {
	for _, k := range slices.Backward(t.kids[from:]) {
		if k != nil {
			k.end()
		}
	}
}

func (t *floorTree) Stop() error {
	select {
	case t.stop <- struct{}{}:
	case <-t.ended:
	}
	<-t.ended
	return nil
}

// do has the supervising goroutine call f.
func (t *floorTree) do(f func()) {
	done := make(chan struct{})
	t.ask <- func() { f(); close(done) }
	<-done
}

func (t *floorTree) StartChild(c *contest.Child) (func() error, error) {
	k := &floorChild{spec: c}
	t.do(func() {
		if k.at = slices.Index(t.kids, nil); k.at < 0 {
			k.at, t.kids = len(t.kids), append(t.kids, nil)
		}
		t.kids[k.at] = k
		t.start(k)
	})
	return func() error {
		t.do(func() {
			k.end()
			t.kids[k.at] = nil
		})
		return nil
	}, nil
}

func (t *floorTree) List() (int, error) {
	var list []*contest.Child
	t.do(func() {
		list = make([]*contest.Child, 0, len(t.kids))
		for _, k := range t.kids {
			list = append(list, k.spec)
		}
	})
	return len(list), nil
}

func (t *floorTree) Count() (n int, err error) {
	t.do(func() { n = len(t.kids) })
	return n, nil
}

// floorMail is a goroutine and channels, that of the letters with room for some.
type floorMail struct {
	box  chan floorLetter
	done sync.WaitGroup
}

type floorLetter struct {
	answer chan<- struct{}
}

func (floor) Mail() (contest.Mail, error) {
	m := &floorMail{box: make(chan floorLetter, 1024)}
	m.done.Go(func() {
		for l := range m.box {
			if l.answer != nil {
				l.answer <- struct{}{}
			}
		}
	})
	return m, nil
}

func (m *floorMail) Tell(n int) error {
	for range n {
		m.box <- floorLetter{}
	}
	return nil
}

func (m *floorMail) PingPong(n int) error {
	answer := make(chan struct{})
	for range n {
		m.box <- floorLetter{answer}
		<-answer
	}
	return nil
}

func (m *floorMail) Call(n int) error {
	for range n {
		ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
		answer := make(chan struct{}, 1)
		select {
		case m.box <- floorLetter{answer}:
		case <-ctx.Done():
		}
		select {
		case <-answer:
		case <-ctx.Done():
		}
		cancel()
		if ctx.Err() == context.DeadlineExceeded {
			return ctx.Err()
		}
	}
	return nil
}

func (m *floorMail) Stop() error {
	close(m.box)
	m.done.Wait()
	return nil
}
