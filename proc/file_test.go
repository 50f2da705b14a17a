package proc

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A file of an earlier run says nothing of this one.
func TestFileProbeIsNotFooledByAnOldFile(t *testing.T) {
	dir := t.TempDir()
	p := &process{cmd: &Command{Dir: dir}, startedAt: time.Now()}
	f := File{Path: "x"}
	require.ErrorIs(t, f.ask(t.Context(), p), os.ErrNotExist)
	name := filepath.Join(dir, "x")
	require.NoError(t, os.WriteFile(name, nil, 0o600))
	require.NoError(t, f.ask(t.Context(), p))
	require.NoError(t, os.Chtimes(name, time.Time{}, p.startedAt.Add(-time.Second)))
	require.ErrorContains(t, f.ask(t.Context(), p), "older than the process")
}
