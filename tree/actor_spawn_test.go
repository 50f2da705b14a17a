package tree_test

import (
	"fmt"
	"log/slog"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	proto "github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/strategies"
	"github.com/coppice-go/coppice/tree"
)

// thing is a process that is no actor. Its stop waits for the gate.
type thing struct {
	system *proto.ActorSystem
	self   *proto.PID
	parent *proto.PID
	gate   chan struct{}
	heard  []any
	asked  int
}

func (p *thing) SendUserMessage(_ *proto.PID, message any) { p.heard = append(p.heard, message) }
func (p *thing) SendSystemMessage(*proto.PID, any)         {}

func (p *thing) Stop(*proto.PID) {
	p.asked++
	<-p.gate
	p.system.ProcessRegistry.Remove(p.self)
	parent, _ := p.system.ProcessRegistry.Get(p.parent)
	parent.SendSystemMessage(p.parent, &proto.Terminated{Who: p.self})
}

// What a spawner makes need not be an actor. It is ready when it is there, and its
// stop holds up nobody but who waits for it.
func TestSpawnerOfAProcess(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var made []*thing
		props := proto.PropsFromFunc(func(proto.Context) {}, proto.WithSpawnFunc(
			func(s *proto.ActorSystem, id string, _ *proto.Props, parent proto.SpawnerContext) (*proto.PID, error) {
				p := &thing{system: s, parent: parent.Self(), gate: make(chan struct{})}
				p.self, _ = s.ProcessRegistry.Add(p, id)
				made = append(made, p)
				return p.self, nil
			}))
		b := newPart()
		w := start(t, tree.Spec{Intensity: unlimited, Children: []tree.Child{{Name: "a", Service: actor.Props(props)}, {Name: "b", Service: b}}})
		require.Equal(t, "+a +b", w.life())
		w.tell("root/a", "hello")
		require.Equal(t, []any{"hello"}, made[0].heard)

		close(made[0].gate)
		made[0].Stop(nil)
		require.Equal(t, "-a +a2", w.life(), "it has ended by itself")

		stopped := later(func() error { return w.TerminateChild(t.Context(), "root/a") })
		require.True(t, pending(stopped))
		require.Equal(t, 1, made[1].asked)
		n, err := w.Snapshot(t.Context())
		require.NoError(t, err)
		require.Equal(t, tree.Stopping, n.Children[0].State)
		close(made[1].gate)
		require.NoError(t, <-stopped)
		require.Equal(t, "-a2", w.life())
	})
}

// An init that fails is a failed start, and leaves nothing of the actor.
func TestInitThatFails(t *testing.T) {
	for name, fail := range map[string]func(){"panic": func() { panic(errBoom) }, "goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var self []*proto.PID
				props := proto.PropsFromFunc(func(proto.Context) {}, proto.WithOnInit(func(c proto.Context) {
					self = append(self, c.Self())
					if len(self) < 3 {
						fail()
					}
				}))
				w := record(t)
				tr, err := w.runner().Start(t.Context(), tree.Spec{Intensity: unlimited})
				require.NoError(t, err)
				w.Tree = tr
				child := tree.Child{Name: "a", Service: actor.Props(props)}
				for n := range 2 {
					require.Error(t, w.StartChild(t.Context(), "root", child))
					_, there := w.System().ProcessRegistry.GetLocal(self[n].Id)
					require.False(t, there)
				}
				require.NoError(t, w.StartChild(t.Context(), "root", child), "its name is free")
				w.stop()
			})
		})
	}
}

// A child that forwards all it gets to its supervisor, Stopped too, does no harm.
func TestForwardToTheSupervisor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		props := proto.PropsFromFunc(func(c proto.Context) { c.Forward(c.Parent()) })
		w := start(t, tree.Spec{Intensity: unlimited, Children: []tree.Child{
			{Name: "a", Service: actor.Props(props)},
			{Name: "b", Service: actor.Props(props), Restart: strategies.Temporary},
		}})
		w.tell("root/a", "hello")
		w.tell("root/a", &proto.Started{})
		w.tell("root/a", &proto.Terminated{Who: w.PID("root/b")})
		require.NoError(t, w.TerminateChild(t.Context(), "root/b"))
		synctest.Wait()
		require.Equal(t, "a running", w.states("root"))
		require.Equal(t, "+a +b -b", w.life())
	})
}

// A handler that fails on a message as protoactor sends them has failed as any other.
func TestPanicInAMessageOfLife(t *testing.T) {
	for _, message := range []any{&proto.Started{}, &proto.Stopping{}, &proto.Stopped{}, &proto.Terminated{}} {
		t.Run(fmt.Sprintf("%T", message), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				props := proto.PropsFromFunc(func(c proto.Context) {
					if c.Sender() != nil {
						panic(errBoom)
					}
				})
				w := start(t, tree.Spec{Intensity: unlimited, Children: []tree.Child{{Name: "a", Service: actor.Props(props)}}})
				w.news()
				sent := &proto.MessageEnvelope{Message: message, Sender: nobody}
				w.tell("root/a", sent)
				require.Equal(t, "-a +a2", w.life())
				w.tell("root/a", sent)
				require.Equal(t, "-a2 +a3", w.life())
			})
		})
	}
}

// Where protoactor measures, it is told of messages by their own type.
func TestMetricsOfMessages(t *testing.T) {
	reader := sdk.NewManualReader()
	before := otel.GetMeterProvider()
	provider := sdk.NewMeterProvider(sdk.WithReader(reader))
	otel.SetMeterProvider(provider)
	defer otel.SetMeterProvider(before)
	quiet := proto.WithLoggerFactory(func(*proto.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) })
	r := tree.Runner{System: proto.NewActorSystem(proto.WithMetricProviders(provider), quiet), Logger: slog.New(slog.DiscardHandler)}
	tr, err := r.Start(t.Context(), tree.Spec{Children: []tree.Child{{Name: "echo", Service: echo()}}})
	require.NoError(t, err)
	tr.System().Root.Send(tr.PID("root/echo"), 1)
	_, err = tr.System().Root.RequestFuture(tr.PID("root/echo"), "hello", time.Minute).Result()
	require.NoError(t, err)
	_, err = tr.Stop(t.Context())
	require.NoError(t, err)
	tr.System().Shutdown()
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &all))
	var types []string
	for _, m := range all.ScopeMetrics[0].Metrics {
		if h, ok := m.Data.(metricdata.Histogram[float64]); ok {
			for _, point := range h.DataPoints {
				name, _ := point.Attributes.Value("messagetype")
				types = append(types, name.AsString())
			}
		}
	}
	require.Contains(t, types, "int")
}
