package strategies_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/coppice-go/coppice/strategies"
)

func TestIntensityDefaults(t *testing.T) {
	for _, tc := range []struct {
		in, want strategies.Intensity
		text     string
	}{
		{strategies.Intensity{}, strategies.Intensity{Max: 1, Within: 5 * time.Second}, "1 in 5s"},
		{strategies.Intensity{Max: 3}, strategies.Intensity{Max: 3, Within: 5 * time.Second}, "3 in 5s"},
		{strategies.Intensity{Within: time.Minute}, strategies.Intensity{Max: 0, Within: time.Minute}, "0 in 1m0s"},
		{strategies.Intensity{Max: 3, Within: time.Hour}, strategies.Intensity{Max: 3, Within: time.Hour}, "3 in 1h0m0s"},
		{strategies.Intensity{Max: strategies.Unlimited}, strategies.Intensity{Max: -1, Within: 5 * time.Second}, "unlimited"},
	} {
		got := tc.in.WithDefaults()
		assert.Equal(t, tc.want, got)
		assert.Equal(t, got, got.WithDefaults(), "idempotent")
		assert.Equal(t, tc.text, tc.in.String())
		assert.NoError(t, tc.in.Validate())
		w := strategies.NewWindow(tc.in)
		assert.Equal(t, tc.want, w.Intensity())
	}
}

func TestIntensityValidate(t *testing.T) {
	assert.EqualError(t, strategies.Intensity{Max: -2}.Validate(), "Max: -2 is below -1 (Unlimited)")
	assert.EqualError(t, strategies.Intensity{Within: -1}.Validate(), "Within: -1ns is negative")
}
