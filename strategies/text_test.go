package strategies_test

import (
	"encoding"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/strategies"
)

type enum interface {
	encoding.TextMarshaler
	fmt.Stringer
	Valid() bool
}

func TestEnumerations(t *testing.T) {
	for _, tc := range []struct {
		value enum
		into  encoding.TextUnmarshaler
		text  string
	}{
		{strategies.OneForOne, new(strategies.Strategy), "one-for-one"},
		{strategies.OneForAll, new(strategies.Strategy), "one-for-all"},
		{strategies.RestForOne, new(strategies.Strategy), "rest-for-one"},
		{strategies.Permanent, new(strategies.Restart), "permanent"},
		{strategies.Transient, new(strategies.Restart), "transient"},
		{strategies.Temporary, new(strategies.Restart), "temporary"},
		{strategies.EndSupervisor, new(strategies.Exhaustion), "end-supervisor"},
		{strategies.StayDown, new(strategies.Exhaustion), "stay-down"},
	} {
		t.Run(tc.text, func(t *testing.T) {
			assert.True(t, tc.value.Valid())
			assert.Equal(t, tc.text, tc.value.String())
			b, err := tc.value.MarshalText()
			require.NoError(t, err)
			assert.Equal(t, tc.text, string(b))
			for _, spelling := range []string{tc.text, strings.ReplaceAll(tc.text, "-", "_")} {
				require.NoError(t, tc.into.UnmarshalText([]byte(spelling)))
				assert.Equal(t, tc.text, tc.into.(fmt.Stringer).String())
			}
		})
	}
}

func TestEnumerationsUnknown(t *testing.T) {
	for _, tc := range []struct {
		value enum
		text  string
	}{
		{strategies.Strategy(3), "Strategy(3)"},
		{strategies.Restart(3), "Restart(3)"},
		{strategies.Exhaustion(255), "Exhaustion(255)"},
	} {
		assert.False(t, tc.value.Valid())
		assert.Equal(t, tc.text, tc.value.String())
		_, err := tc.value.MarshalText()
		assert.EqualError(t, err, "unknown "+tc.text)
	}
	s := strategies.RestForOne
	err := s.UnmarshalText([]byte("all"))
	assert.EqualError(t, err, `unknown Strategy "all": want one-for-one, one-for-all, rest-for-one`)
	assert.Equal(t, strategies.RestForOne, s, "untouched by an error")
	assert.Error(t, json.Unmarshal([]byte(`""`), &s))
}

func FuzzUnmarshalText(f *testing.F) {
	for _, s := range []string{"one-for-one", "one_for_all", "rest-for-one", "permanent", "transient", "temporary", "stay-down", "", "\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var (
			s strategies.Strategy
			r strategies.Restart
			e strategies.Exhaustion
		)
		check := func(into encoding.TextUnmarshaler, value func() enum) {
			if into.UnmarshalText(b) != nil {
				return
			}
			text, err := value().MarshalText()
			require.NoError(t, err)
			assert.Equal(t, strings.ReplaceAll(string(b), "_", "-"), string(text))
		}
		check(&s, func() enum { return s })
		check(&r, func() enum { return r })
		check(&e, func() enum { return e })
	})
}
