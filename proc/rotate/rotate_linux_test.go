package rotate_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/proc/rotate"
)

// buffer is one for several goroutines.
type buffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

// A full disk holds nobody up, and is told.
func TestFullDisk(t *testing.T) {
	var log buffer
	require.NoError(t, shell(&rotate.File{Path: "/dev/full"}, "yes no room | head -n 100000", slog.NewTextHandler(&log, nil)))
	text := log.String()
	require.Equal(t, 1, strings.Count(text, `msg="output not written"`), text)
	require.Contains(t, text, syscall.ENOSPC.Error())
	require.Contains(t, text, `msg="output dropped" stream=stdout lines=100000 bytes=800000`)
}
