package tree

import (
	"context"
	"crypto/rand"
	"log/slog"
	"reflect"

	proto "github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/eventstream"
	"github.com/asynkron/protoactor-go/extensions"
	cmap "github.com/orcaman/concurrent-map"
)

// newSystem makes an actor system that keeps quiet about what a tree does in the
// course of business, and leaves no goroutine behind for a message to a child
// that is gone.
func newSystem(log *slog.Logger) *proto.ActorSystem {
	quiet := slog.New(warnings{log.Handler()})
	config := proto.Configure(proto.WithLoggerFactory(func(*proto.ActorSystem) *slog.Logger { return quiet }))
	system := assemble(config)
	if system == nil {
		system = proto.NewActorSystemWithConfig(config)
	}
	// The stream it comes with has a subscriber that logs dead letters, and starts
	// a goroutine for it. Of what is subscribed there, only the answer to a Watch
	// that came too late and to a request is needed.
	system.EventStream = eventstream.NewEventStream()
	system.EventStream.Subscribe(func(event any) { answerDeadLetter(system, event) })
	return system
}

// assemble does what proto.NewActorSystemWithConfig does, but for the 32,768 maps that
// this keeps for addresses: they take 4 ms and 3 MB, and 128 do as well. Two of
// the fields that are to be filled are not exported. The result is nil if they are not
// those that are known.
func assemble(config *proto.Config) *proto.ActorSystem {
	s := &proto.ActorSystem{ID: rand.Text(), Config: config, Extensions: extensions.NewExtensions()}
	logger, stopper := field[*slog.Logger](s, "logger"), field[chan struct{}](s, "stopper")
	if logger == nil || stopper == nil || reflect.TypeFor[proto.ActorSystem]().NumField() != 10 {
		return nil
	}
	*logger, *stopper = config.LoggerFactory(s), make(chan struct{})
	maps := &proto.SliceMap{LocalPIDs: make([]cmap.ConcurrentMap, 4)}
	for i := range maps.LocalPIDs {
		maps.LocalPIDs[i] = cmap.New()
	}
	s.ProcessRegistry = &proto.ProcessRegistryValue{ActorSystem: s, Address: "nonhost", LocalPIDs: maps}
	s.Root = proto.NewRootContext(s, proto.EmptyMessageHeader)
	s.Guardians = proto.NewGuardians(s)
	s.EventStream = eventstream.NewEventStream()
	s.DeadLetter = proto.NewDeadLetter(s)
	s.Extensions.Register(proto.NewMetrics(s, config.MetricsProvider))
	s.ProcessRegistry.Add(proto.NewEventStreamProcess(s), "eventstream")
	return s
}

// field is the field of that name, or nil if there is none of that type.
func field[T any](s *proto.ActorSystem, name string) *T {
	f := reflect.ValueOf(s).Elem().FieldByName(name)
	if !f.IsValid() || f.Type() != reflect.TypeFor[T]() {
		return nil
	}
	return (*T)(f.Addr().UnsafePointer())
}

func answerDeadLetter(system *proto.ActorSystem, event any) {
	letter, ok := event.(*proto.DeadLetterEvent)
	if !ok {
		return
	}
	if letter.Sender != nil {
		system.Root.Send(letter.Sender, &proto.DeadLetterResponse{Target: letter.PID})
	}
	if watch, ok := letter.Message.(*proto.Watch); ok {
		if p, ok := system.ProcessRegistry.Get(watch.Watcher); ok {
			p.SendSystemMessage(watch.Watcher, &proto.Terminated{Who: letter.PID, Why: proto.TerminatedReason_NotFound})
		}
	}
}

// warnings passes what is at least a warning.
type warnings struct{ slog.Handler }

func (w warnings) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && w.Handler.Enabled(ctx, l)
}

func (w warnings) WithAttrs(a []slog.Attr) slog.Handler { return warnings{w.Handler.WithAttrs(a)} }
func (w warnings) WithGroup(n string) slog.Handler      { return warnings{w.Handler.WithGroup(n)} }
