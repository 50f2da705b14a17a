package tree_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	proto "github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/tree"
)

type nilBatch struct{}

func (nilBatch) GetMessages() []any { return []any{nil} }

// A nil message is one like any other, and wedges nobody.
func TestNilMessage(t *testing.T) {
	for _, nothing := range []any{nil, nilBatch{}, &proto.MessageEnvelope{}} {
		t.Run(fmt.Sprintf("%T", nothing), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				p := &player{}
				var seen int
				plain := actor.Props(proto.PropsFromFunc(func(c proto.Context) {
					if c.Message() == nil {
						seen++
					}
				}))
				w := start(t, tree.Spec{Children: kids(p.props(), plain)})
				for _, path := range []string{"root", "root/a", "root/b"} {
					w.tell(path, nothing)
				}
				require.Equal(t, 1, seen)
				w.tell("root/a", "hello")
				require.Equal(t, []any{"hello"}, p.heard)
				w.stop()
			})
		})
	}
}

// What an actor is told of itself and of its children is told by protoactor alone:
// one that anybody sends neither starts nor ends anything.
func TestLifecycleSentByAnybody(t *testing.T) {
	forged := func(pid *proto.PID) []any {
		return []any{&proto.Started{}, &proto.Stopping{}, &proto.Stopped{}, &proto.Restarting{}, &proto.Restart{}, &proto.Terminated{Who: pid}, &proto.Stop{}}
	}
	bubble(t, func(t *testing.T) {
		p, a := &player{}, newPart()
		w := start(t, tree.Spec{Intensity: unlimited, Children: []tree.Child{
			{Name: "actor", Service: p.props()}, {Name: "sub", Service: tree.Spec{Children: kids(a)}},
		}})
		w.news()
		for _, path := range []string{"root", "root/sub", "root/actor"} {
			for _, msg := range forged(w.PID("root/sub")) {
				w.tell(path, msg)
				w.System().Root.Request(w.PID(path), msg)
				w.System().Root.RequestWithCustomSender(w.PID(path), msg, w.PID("root/actor"))
				require.Empty(t, w.life(), "%T to %s", msg, path)
			}
		}
		for _, path := range []string{"root", "root/sub"} {
			box, ok := w.System().ProcessRegistry.Get(w.PID(path))
			require.True(t, ok)
			box.SendSystemMessage(w.PID(path), &proto.Started{})
			box.SendSystemMessage(w.PID(path), &proto.Restart{})
			require.Empty(t, w.life())
		}
		require.Equal(t, "actor running, sub running", w.states("root"))
		w.tell("root/actor", "hello")
		require.Equal(t, []any{"hello"}, p.heard)
		require.Equal(t, 1, p.made)
		w.stop()
	})
}

// Nor does one that makes no sense, handed to the process of a supervisor.
func TestNonsenseForSupervisors(t *testing.T) {
	for _, msg := range []any{
		nil, &proto.Watch{}, &proto.Unwatch{}, &proto.Failure{}, &proto.Terminated{}, &proto.SuspendMailbox{}, "hello",
	} {
		t.Run(fmt.Sprintf("%T", msg), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				a, b := newPart(), newPart()
				w := start(t, tree.Spec{Intensity: unlimited, Children: []tree.Child{
					{Name: "a", Service: a}, {Name: "sub", Service: tree.Spec{Intensity: unlimited, Children: kids(b)}},
				}})
				w.news()
				for _, path := range []string{"root", "root/sub"} {
					process, ok := w.System().ProcessRegistry.Get(w.PID(path))
					require.True(t, ok)
					process.SendSystemMessage(w.PID(path), msg)
				}
				require.Empty(t, w.life())
				a.end(errBoom)
				require.Equal(t, "-a +a2", w.life())
				b.end(errBoom)
				require.Equal(t, "-sub/a +sub/a2", w.life())
				w.stop()
			})
		})
	}
}

// A panic in the handler of one that anybody has sent ends the actor like any other.
func TestPanicInLifecycleSentByAnybody(t *testing.T) {
	for event, msg := range map[string]any{"started": &proto.Started{}, "stopping": &proto.Stopping{}, "stopped": &proto.Stopped{}} {
		t.Run(event, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				armed := false
				p := on(event, func(proto.Context, int) {
					if armed {
						armed = false
						panic(errBoom)
					}
				})
				w := start(t, tree.Spec{Intensity: unlimited, Children: kids(p.props())})
				w.news()
				armed = true
				w.tell("root/a", msg)
				require.Equal(t, "-a +a2", w.life())
			})
		})
	}
}

// withCode is a message that brings the code for its answer along.
type withCode struct{ run func() }

func (a withCode) GetAutoResponse(proto.Context) any { a.run(); return nil }

// A supervisor runs no code that a message brings along, and says that it is there.
func TestSupervisorRunsNoForeignCode(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := start(t, tree.Spec{})
		w.tell("root", withCode{func() { t.Error("run") }})
		answer, err := w.System().Root.RequestFuture(w.PID("root"), &proto.Touch{}, -1).Result()
		require.NoError(t, err)
		require.True(t, w.PID("root").Equal(answer.(*proto.Touched).Who))
		synctest.Wait()
		w.stop()
	})
}

// A dispatcher may say what it likes about its throughput.
func TestThroughput(t *testing.T) {
	for _, n := range []int{-1, 0, 1} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				p := &player{}
				w := start(t, tree.Spec{Children: kids(p.props(proto.WithDispatcher(proto.NewDefaultDispatcher(n))))})
				w.tell("root/a", "hello")
				require.Equal(t, []any{"hello"}, p.heard)
				w.stop()
			})
		})
	}
}
