package tree_test

import (
	"runtime/pprof"
	"strings"
	"testing"
	"testing/synctest"

	proto "github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/tree"
)

// turns counts the turns of mailboxes.
type turns struct {
	proto.Dispatcher
	n int
}

func (d *turns) Schedule(turn func()) {
	d.n++
	d.Dispatcher.Schedule(turn)
}

// An actor keeps the mailbox and the dispatcher that its props name, runs on the
// tree's where they name none, and under the labels of its incarnation either way.
func TestWhatAnActorRunsOn(t *testing.T) {
	for name, own := range map[string]bool{"of the props": true, "of the tree": false} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var profile strings.Builder
				props := proto.PropsFromFunc(func(c proto.Context) {
					if _, ok := c.Message().(string); ok {
						require.NoError(t, pprof.Lookup("goroutine").WriteTo(&profile, 1))
					}
				})
				mailboxes, dispatcher := 0, &turns{Dispatcher: proto.NewDefaultDispatcher(1)}
				if own {
					props = props.Clone(proto.WithDispatcher(dispatcher), proto.WithMailbox(func() proto.Mailbox {
						mailboxes++
						return proto.Unbounded()()
					}))
				}
				w := start(t, tree.Spec{Intensity: unlimited, Children: []tree.Child{{Name: "a", Service: actor.Props(props)}}})
				w.System().Root.Send(w.PID("root/a"), "hello")
				w.news()
				require.Equal(t, own, mailboxes == 1)
				require.Equal(t, own, dispatcher.n > 0)
				require.Contains(t, profile.String(), `"tree.incarnation":"1", "tree.path":"root/a"`)
			})
		})
	}
}

// An actor's messages may come in one envelope after the other; what is sent on, or
// waits for a future, is kept all the same.
func TestActorKeepsWhatItForwards(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var forwarded, waited []any
		gate := make(chan struct{})
		props := proto.PropsFromFunc(func(c proto.Context) {
			n, ok := c.Message().(int)
			switch {
			case !ok:
			case n%2 == 0:
				c.Forward(proto.NewPID(c.Self().Address, "root/slow"))
			default:
				f := proto.NewFuture(c.ActorSystem(), -1)
				c.ReenterAfter(f, func(answer any, err error) { waited = append(waited, c.Message(), answer, err) })
				go func() {
					<-gate
					c.ActorSystem().Root.Send(f.PID(), n*n)
				}()
			}
		})
		slow := proto.PropsFromFunc(func(c proto.Context) {
			switch c.Message().(type) {
			case string:
				<-gate
			case int:
				forwarded = append(forwarded, c.Message())
			}
		})
		w := start(t, tree.Spec{Intensity: unlimited, Children: []tree.Child{
			{Name: "slow", Service: actor.Props(slow)}, {Name: "a", Service: actor.Props(props)},
		}})
		w.System().Root.Send(w.PID("root/slow"), "wait")
		for n := range 4 {
			w.System().Root.Send(w.PID("root/a"), n)
		}
		synctest.Wait()
		close(gate)
		synctest.Wait()
		require.Equal(t, []any{0, 2}, forwarded)
		require.Len(t, waited, 6)
		require.Subset(t, waited, []any{1, 3, 9})
		w.news()
	})
}

// Middleware may keep the envelopes it sees.
func TestMiddlewareKeepsEnvelopes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var kept []*proto.MessageEnvelope
		props := proto.PropsFromFunc(func(proto.Context) {}, proto.WithReceiverMiddleware(func(next proto.ReceiverFunc) proto.ReceiverFunc {
			return func(c proto.ReceiverContext, env *proto.MessageEnvelope) {
				if _, ok := env.Message.(int); ok {
					kept = append(kept, env)
				}
				next(c, env)
			}
		}))
		w := start(t, tree.Spec{Intensity: unlimited, Children: []tree.Child{{Name: "a", Service: actor.Props(props)}}})
		for n := range 3 {
			w.System().Root.Send(w.PID("root/a"), n)
		}
		synctest.Wait()
		for n, env := range kept {
			require.Equal(t, n, env.Message)
		}
		require.Len(t, kept, 3)
		w.news()
	})
}
