package proc_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestExitErrorTellsMemory(t *testing.T) {
	require.Greater(t, serve(t, helper(t, "exit=3")).exited().MaxRSS, int64(1<<20), "bytes")
}
