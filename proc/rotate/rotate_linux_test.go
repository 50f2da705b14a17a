package rotate_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

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

// What is no regular file is not renamed: it would be gone.
func TestDeviceIsNotRotated(t *testing.T) {
	f := &rotate.File{Path: path(t), MaxSize: size, Interval: time.Minute}
	require.NoError(t, os.MkdirAll(filepath.Dir(f.Path), 0o755))
	if err := syscall.Mknod(f.Path, syscall.S_IFCHR|0o666, 1<<8|3); err != nil {
		t.Skip("only root can make a device")
	}
	w := open(t, f)
	write(t, w, lines(0, 5*size/64, 64))
	require.NoError(t, w.Close())
	info, err := os.Stat(f.Path)
	require.NoError(t, err)
	require.NotZero(t, info.Mode()&os.ModeCharDevice)
	require.Empty(t, older(t, f.Path))
}

func TestNamedPipe(t *testing.T) {
	f := &rotate.File{Path: path(t), MaxSize: size}
	require.NoError(t, os.MkdirAll(filepath.Dir(f.Path), 0o755))
	require.NoError(t, syscall.Mkfifo(f.Path, 0o600))
	_, err := f.Open()
	require.ErrorIs(t, err, syscall.ENXIO, "nobody reads it, and nobody waits for that")
	reader, err := os.OpenFile(f.Path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	require.NoError(t, err)
	defer reader.Close()
	w := open(t, f)
	write(t, w, "a\n")
	b := make([]byte, 10)
	n, err := reader.Read(b)
	require.NoError(t, err)
	require.Equal(t, "a\n", string(b[:n]))
	require.NoError(t, w.Close())
}

// A file has one rotation, whatever names lead to it.
func TestNamesOfOneFile(t *testing.T) {
	f := &rotate.File{Path: path(t), MaxSize: size}
	dir := filepath.Dir(f.Path)
	link := filepath.Join(dir, "link.log")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	require.NoError(t, os.Symlink("app.log", link)) // to what is not there yet
	require.NoError(t, os.Symlink(".", filepath.Join(dir, "here")))
	w := open(t, &rotate.File{Path: filepath.Join(dir, "here", "link.log"), MaxSize: size})
	for _, name := range []string{link, f.Path, filepath.Join(dir, "here", "app.log")} {
		_, err := (&rotate.File{Path: name, MaxSize: 2 * size}).Open()
		require.ErrorContains(t, err, "other settings")
	}
	v := open(t, f)
	write(t, w, "half")
	write(t, v, lines(0, size/64, 64))
	write(t, w, " of it\n")
	require.NoError(t, v.Close())
	require.NoError(t, w.Close())
	require.Equal(t, "half of it\n", read(t, f.Path))
	require.Len(t, older(t, f.Path), 1)
	to, err := os.Readlink(link)
	require.NoError(t, err)
	require.Equal(t, "app.log", to, "the link is left alone")
}
