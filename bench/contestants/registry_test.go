package contestants

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Figures are found by the name.
func TestContestantsAreTold(t *testing.T) {
	names := make(map[string]bool)
	for _, c := range All {
		require.False(t, names[c.Name], "%s is there twice", c.Name)
		names[c.Name] = true
		require.NotEmpty(t, c.About, c.Name)
		require.True(t, (c.Adapter == nil) != (c.Program == nil), "%s is one of both", c.Name)
	}
}
