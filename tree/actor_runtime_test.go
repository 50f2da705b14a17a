package tree_test

import (
	"runtime/pprof"
	"strings"
	"testing"

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
