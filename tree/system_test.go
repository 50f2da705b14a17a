package tree

import (
	"log/slog"
	"reflect"
	"testing"

	proto "github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/extensions"
	"github.com/stretchr/testify/require"
)

// A system that is assembled has all that one of protoactor's own has.
func TestAssemble(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	config := proto.Configure(proto.WithLoggerFactory(func(*proto.ActorSystem) *slog.Logger { return log }))
	s, own := assemble(config), proto.NewActorSystemWithConfig(config)
	require.NotNil(t, s, "protoactor is as it was")

	fields := func(s any) (filled []string) {
		v := reflect.ValueOf(s).Elem()
		for i := range v.NumField() {
			if !v.Field(i).IsZero() {
				filled = append(filled, v.Type().Field(i).Name)
			}
		}
		return filled
	}
	require.Equal(t, fields(own), fields(s))
	require.Equal(t, fields(own.ProcessRegistry), fields(s.ProcessRegistry))
	require.Equal(t, fields(own.Root), fields(s.Root))

	registered := func(s *proto.ActorSystem) (ids []string) {
		for _, m := range s.ProcessRegistry.LocalPIDs.LocalPIDs {
			for _, id := range m.Keys() {
				p, ok := s.ProcessRegistry.GetLocal(id)
				require.True(t, ok, id)
				ids = append(ids, id+reflect.TypeOf(p).String())
			}
		}
		return ids
	}
	require.ElementsMatch(t, registered(own), registered(s))
	for id := range extensions.NextExtensionID() {
		require.IsType(t, own.Extensions.Get(id), s.Extensions.Get(id))
	}

	require.Equal(t, own.Address(), s.Address())
	require.Same(t, log, s.Logger())
	require.NotEqual(t, assemble(config).ID, s.ID)
	require.False(t, s.IsStopped())
	s.Shutdown()
	require.True(t, s.IsStopped())
}

// What is not as it is known is left alone.
func TestField(t *testing.T) {
	s := assemble(proto.Configure())
	require.Nil(t, field[*slog.Logger](s, "nothing"))
	require.Nil(t, field[slog.Logger](s, "logger"))
	require.Same(t, s.Logger(), *field[*slog.Logger](s, "logger"))
}
