package tree

import (
	"context"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	proto "github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/internal/guard"
	"github.com/coppice-go/coppice/tree/internal/machine"
)

// What comes in is handed out in order, however it comes, and a long queue is not
// kept.
func TestFifo(t *testing.T) {
	var (
		q       fifo
		used    []any
		in, out int
	)
	for _, burst := range []int{1, 3, pieceSize, pieceSize + 1, 20 * pieceSize, 2, 5} {
		for range burst {
			q.push(in)
			in++
		}
		require.Equal(t, burst, q.len())
		for piece := q.pop(used); piece != nil; piece = q.pop(used) {
			for i := range piece {
				require.Equal(t, out, piece[i])
				piece[i] = nil
				out++
			}
			used = piece
		}
		used = nil
		require.Equal(t, in, out)
		require.LessOrEqual(t, len(q.spare), maxSpare)
	}
}

func inMailbox(t *testing.T, receive proto.ReceiveFunc, use func(sys *proto.ActorSystem, pid *proto.PID, box *mailbox)) {
	synctest.Test(t, func(t *testing.T) {
		var w workers
		sys := newSystem(slog.New(slog.DiscardHandler))
		box := &mailbox{labels: context.Background(), hooks: &guard.Hooks{Ready: func() {}, Reuse: true}}
		pid := sys.Root.Spawn(proto.PropsFromFunc(receive,
			proto.WithMailbox(func() proto.Mailbox { return box }), proto.WithDispatcher(&w)))
		use(sys, pid, box)
		sys.Root.Stop(pid)
		synctest.Wait()
		w.close()
	})
}

// The messages of each sender come in its order, those of the system first, and a
// turn ends when nothing is left.
func TestMailboxOrder(t *testing.T) {
	last := make([]int, 4)
	var order []string
	inMailbox(t, func(c proto.Context) {
		switch m := c.Message().(type) {
		case [2]int:
			require.Equal(t, last[m[0]]+1, m[1])
			last[m[0]] = m[1]
		case string:
			order = append(order, m)
			if m == "first" {
				c.Send(c.Self(), "third")
				c.Watch(c.Self()) // for the time after
				c.Send(c.Self(), "fourth")
			}
		case *proto.Started:
			order = append(order, "started")
		}
	}, func(sys *proto.ActorSystem, pid *proto.PID, box *mailbox) {
		var wg sync.WaitGroup
		for s := range last {
			wg.Go(func() {
				for i := range 1000 {
					sys.Root.Send(pid, [2]int{s, i + 1})
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		require.Equal(t, []int{1000, 1000, 1000, 1000}, last)
		sys.Root.Send(pid, "first")
		synctest.Wait()
		require.Equal(t, []string{"started", "first", "third", "fourth"}, order)
		require.Zero(t, box.UserMessageCount())
		require.False(t, box.scheduled)
	})
}

// A suspended mailbox keeps what comes in, also what it had taken already.
func TestMailboxSuspended(t *testing.T) {
	var got []int
	inMailbox(t, func(c proto.Context) {
		if n, ok := c.Message().(int); ok {
			got = append(got, n)
			if n == 1 {
				p, _ := c.ActorSystem().ProcessRegistry.Get(c.Self())
				p.SendSystemMessage(c.Self(), &proto.SuspendMailbox{})
			}
		}
	}, func(sys *proto.ActorSystem, pid *proto.PID, box *mailbox) {
		box.mu.Lock()
		box.user.push(1)
		box.user.push(2) // the same turn gets both
		box.mu.Unlock()
		sys.Root.Send(pid, 3)
		synctest.Wait()
		require.Equal(t, []int{1}, got)
		box.PostSystemMessage(&proto.ResumeMailbox{})
		synctest.Wait()
		require.Equal(t, []int{1, 2, 3}, got)
	})
}

// What protoactor has told is let go when it is done, and a long queue is not kept.
func TestMailboxLetsGoOfSystemMessages(t *testing.T) {
	inMailbox(t, func(proto.Context) {}, func(_ *proto.ActorSystem, pid *proto.PID, box *mailbox) {
		synctest.Wait() // the turn of Started is over
		box.mu.Lock()
		box.scheduled = true // all come in before the turn
		box.mu.Unlock()
		for range 3 {
			box.PostSystemMessage(&proto.Unwatch{Watcher: pid})
		}
		box.dispatcher.Schedule(box.turn)
		synctest.Wait()
		require.Nil(t, box.system)
		require.Nil(t, box.one[0])
	})
}

// The parts of a batch are delivered, and the batch.
func TestMailboxBatch(t *testing.T) {
	var got []any
	inMailbox(t, func(c proto.Context) {
		switch c.Message().(type) {
		case int, batch:
			got = append(got, c.Message())
		}
	}, func(sys *proto.ActorSystem, pid *proto.PID, _ *mailbox) {
		sys.Root.Send(pid, batch{1, 2})
		synctest.Wait()
		require.Equal(t, []any{1, 2, batch{1, 2}}, got)
	})
}

type batch []any

func (b batch) GetMessages() []any { return b }

// Nothing is handled before Started, and inputs are dropped after close.
func TestMailboxBeforeAndAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w workers
		var s sink
		box := &mailbox{labels: context.Background()}
		early, soon := &proto.Touch{}, &proto.PoisonPill{}
		box.PostUserMessage(early)
		box.PostUserMessage("nothing for a supervisor")
		box.post(machine.Input{Gen: 1})
		box.RegisterHandlers(&s, &w)
		box.PostUserMessage(soon)
		synctest.Wait()
		require.Empty(t, s.got)
		box.PostSystemMessage(&proto.Started{})
		box.Start()
		synctest.Wait()
		require.Equal(t, []any{&proto.Started{}, early, soon, []machine.Input{{Gen: 1}}}, s.got)
		box.close()
		box.post(machine.Input{Gen: 2})
		require.Empty(t, box.take(nil))
		w.close()
	})
}

// sink takes what a mailbox hands out.
type sink struct{ got []any }

func (s *sink) InvokeSystemMessage(m any) { s.got = append(s.got, m) }
func (s *sink) EscalateFailure(_, m any)  { s.got = append(s.got, m) }
func (s *sink) InvokeUserMessage(m any) {
	if box, ok := m.(*mailbox); ok {
		m = box.take(nil)
	}
	s.got = append(s.got, m)
}

// The fields of protoactor's that say what props leave open are there.
func TestPropsSayWhatTheyLeaveOpen(t *testing.T) {
	bare := proto.PropsFromFunc(func(proto.Context) {})
	full := bare.Clone(proto.WithMailbox(proto.Unbounded()), proto.WithDispatcher(proto.NewSynchronizedDispatcher(1)),
		proto.WithSpawnFunc(proto.DefaultSpawner), proto.WithOnInit(func(proto.Context) {}),
		proto.WithReceiverMiddleware(func(next proto.ReceiverFunc) proto.ReceiverFunc { return next }),
		proto.WithContextDecorator(func(next proto.ContextDecoratorFunc) proto.ContextDecoratorFunc { return next }))
	for _, field := range []string{"mailboxProducer", "dispatcher", "spawner", "onInit", "receiverMiddleware", "contextDecorator"} {
		require.True(t, unset(bare, field), field)
		require.False(t, unset(full, field), field)
	}
	require.False(t, unset(bare, "dispatcher", "no such field"))
}

// Workers are kept for later turns, no more than there may be, and end with the
// tree; what comes later is run all the same.
func TestWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w workers
		block := make(chan struct{})
		for range 3 * maxIdle {
			w.Schedule(func() { <-block })
		}
		synctest.Wait() // none waits for another
		require.True(t, w.empty())
		close(block)
		synctest.Wait()
		require.Len(t, w.idle, maxIdle)
		ran := false
		w.Schedule(func() { ran = true })
		synctest.Wait()
		require.True(t, ran)
		require.Len(t, w.idle, maxIdle)
		w.close()
		ran = false
		w.Schedule(func() { ran = true })
		synctest.Wait()
		require.True(t, ran)
	})
}

// A turn is run whatever the one that has scheduled it does, also when that is done.
func TestWorkersTakeWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w workers
		block := make(chan struct{})
		ran := 0
		w.Schedule(func() {
			w.Schedule(func() { ran++ })
			<-block
		})
		synctest.Wait()
		require.Equal(t, 1, ran)
		close(block)
		synctest.Wait()
		var turn func()
		turn = func() {
			if ran++; ran < 10_000 {
				w.Schedule(turn)
			}
		}
		turn()
		synctest.Wait()
		require.Equal(t, 10_000, ran)
		require.Zero(t, w.coming)
		w.close()
	})
}

// Whoever schedules, and however many are waiting, every turn is run once, and the
// queue is no longer than what waits.
func TestWorkersUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var (
			w   workers
			ran atomic.Int32
			wg  sync.WaitGroup
		)
		for range 8 {
			wg.Go(func() {
				for range 1000 {
					w.Schedule(func() {
						runtime.Gosched()
						w.Schedule(func() { ran.Add(1) })
						ran.Add(1)
					})
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		require.EqualValues(t, 16_000, ran.Load())
		require.True(t, w.empty())
		require.Zero(t, w.coming)
		w.close()
	})
	w := workers{coming: 1} // nobody else
	for range 100_000 {
		w.Schedule(func() {})
		w.Schedule(func() {})
		w.take()
		if len(w.queue)-w.first == 10 {
			for range 9 {
				w.take()
			}
		}
		require.Less(t, cap(w.queue), 100)
	}
}
