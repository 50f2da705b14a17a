package rotate_test

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/proc"
	"github.com/coppice-go/coppice/proc/rotate"
)

var (
	_ proc.Opener     = (*rotate.File)(nil)
	_ actor.Validator = (*rotate.File)(nil)
)

const (
	size     = 128 << 10
	patience = 30 * time.Second
	glance   = 5 * time.Millisecond
)

func path(t *testing.T) string { return filepath.Join(t.TempDir(), "logs", "app.log") }

// older are the rotated files, the oldest first.
func older(t *testing.T, path string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(filepath.Dir(path), "app-*"))
	require.NoError(t, err)
	slices.Sort(names)
	return names
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(b)
}

func open(t *testing.T, f *rotate.File) io.WriteCloser {
	t.Helper()
	w, err := f.Open()
	require.NoError(t, err)
	return w
}

func write(t *testing.T, w io.Writer, text string) {
	t.Helper()
	n, err := io.WriteString(w, text)
	require.NoError(t, err)
	require.Equal(t, len(text), n)
}

// lines are n lines, each of width bytes.
func lines(first, n, width int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%*d\n", width-1, first+i)
	}
	return b.String()
}

func TestSize(t *testing.T) {
	f := &rotate.File{Path: path(t), MaxSize: size, MaxFiles: -1}
	w := open(t, f)
	all := lines(0, 10_000, 80)
	for rest := all; rest != ""; { // in pieces that end in the middle of a line
		n := min(len(rest), 5003)
		write(t, w, rest[:n])
		rest = rest[n:]
	}
	require.NoError(t, w.Close())
	got := ""
	names := append(older(t, f.Path), f.Path)
	require.Len(t, names, len(all)/size+1)
	for _, name := range names {
		text := read(t, name)
		require.LessOrEqual(t, len(text), size)
		require.True(t, strings.HasSuffix(text, "\n"), "no line is divided")
		got += text
	}
	require.True(t, all == got, "nothing is lost, and all is in order")
}

func TestCount(t *testing.T) {
	f := &rotate.File{Path: path(t), MaxSize: size, MaxFiles: 2}
	w := open(t, f)
	for range 8 {
		write(t, w, lines(0, size/64, 64))
	}
	write(t, w, "the last\n")
	require.Eventually(t, func() bool { return len(older(t, f.Path)) <= 2 }, patience, glance)
	require.NoError(t, w.Close())
	require.Len(t, older(t, f.Path), 2)
	require.Equal(t, "the last\n", read(t, f.Path))
}

// What is too old is removed, and nothing that is not ours.
func TestAge(t *testing.T) {
	f := &rotate.File{Path: path(t), MaxAge: 36 * time.Hour}
	dir := filepath.Dir(f.Path)
	require.NoError(t, os.MkdirAll(dir, 0o755))
	at := func(age time.Duration) string {
		return filepath.Join(dir, "app-"+time.Now().Add(-age).Format("2006-01-02T15-04-05.000000")+"-size.log")
	}
	old, young, foreign := at(49*time.Hour), at(47*time.Hour), filepath.Join(dir, "app-old-and-dear.log")
	for _, name := range []string{old, young, foreign} {
		require.NoError(t, os.WriteFile(name, nil, 0o600))
	}
	w := open(t, f)
	write(t, w, "a\n")
	require.Eventually(t, func() bool { return len(older(t, f.Path)) == 2 }, patience, glance)
	require.NoError(t, w.Close())
	require.FileExists(t, young)
	require.FileExists(t, foreign)
}

func TestInterval(t *testing.T) {
	f := &rotate.File{Path: path(t), Interval: 24 * time.Hour}
	require.NoError(t, os.MkdirAll(filepath.Dir(f.Path), 0o755))
	require.NoError(t, os.WriteFile(f.Path, []byte("yesterday\n"), 0o600))
	yesterday := time.Now().Add(-24 * time.Hour)
	require.NoError(t, os.Chtimes(f.Path, yesterday, yesterday))
	for _, text := range []string{"a\n", "b\n"} { // it is known across restarts
		w := open(t, f)
		write(t, w, text)
		require.NoError(t, w.Close())
	}
	require.Equal(t, "a\nb\n", read(t, f.Path))
	require.Len(t, older(t, f.Path), 1)
	require.True(t, strings.HasSuffix(older(t, f.Path)[0], "-time.log"))
	require.Equal(t, "yesterday\n", read(t, older(t, f.Path)[0]))
}

func TestCompress(t *testing.T) {
	f := &rotate.File{Path: path(t), MaxSize: size, Compress: true}
	w := open(t, f)
	text := lines(0, size/64, 64)
	write(t, w, text)
	write(t, w, "more\n")
	require.NoError(t, w.Close())
	require.Eventually(t, func() bool {
		names := older(t, f.Path)
		return len(names) == 1 && strings.HasSuffix(names[0], ".log.gz")
	}, patience, glance)
	file, err := os.Open(older(t, f.Path)[0])
	require.NoError(t, err)
	defer file.Close()
	z, err := gzip.NewReader(file)
	require.NoError(t, err)
	b, err := io.ReadAll(z)
	require.NoError(t, err)
	require.Equal(t, text, string(b))
}

// Two streams in one file have whole lines, also those without an end.
func TestTwoStreams(t *testing.T) {
	f := &rotate.File{Path: path(t)}
	a, b := open(t, f), open(t, &rotate.File{Path: f.Path})
	write(t, a, "half a")
	write(t, b, "b1\nhalf b")
	write(t, a, " line\n")
	require.NoError(t, a.Close())
	require.NoError(t, b.Close())
	require.Equal(t, "b1\nhalf a line\nhalf b\n", read(t, f.Path))

	long := strings.Repeat("x", 200_000)
	a, b = open(t, f), open(t, f)
	write(t, a, long)
	write(t, b, "b2\n")
	write(t, b, long)
	require.NoError(t, b.Close())
	require.NoError(t, a.Close())
	text := read(t, f.Path)
	require.Contains(t, text, "x\nb2\nx")
	require.Contains(t, text, "x\n"+long[:200_000%(64<<10)]+"\n", "only a line that is too long is divided")
}

// Many open and close it at once.
func TestMany(t *testing.T) {
	f := &rotate.File{Path: path(t), MaxSize: size, MaxFiles: -1}
	var wg sync.WaitGroup
	const n, each = 8, 20
	for range n {
		wg.Go(func() {
			for range each {
				w, err := f.Open()
				if err == nil {
					_, err = io.WriteString(w, lines(0, 100, 80))
				}
				if err == nil {
					err = w.Close()
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	sum := 0
	for _, name := range append(older(t, f.Path), f.Path) {
		for line := range strings.Lines(read(t, name)) {
			require.Len(t, line, 80)
			sum++
		}
	}
	require.Equal(t, n*each*100, sum)
}

func TestMode(t *testing.T) {
	f := &rotate.File{Path: path(t), MaxSize: size, Mode: 0o666}
	w := open(t, f)
	write(t, w, lines(0, size/64, 64))
	write(t, w, "more\n")
	require.NoError(t, w.Close())
	for _, name := range append(older(t, f.Path), f.Path) {
		info, err := os.Stat(name)
		require.NoError(t, err)
		require.Equal(t, f.Mode, info.Mode().Perm(), name)
	}
}

// What somebody else has done to the file is noticed within a second.
func TestFileTakenAway(t *testing.T) {
	for name, take := range map[string]func(path string) error{
		"renamed":           func(p string) error { return os.Rename(p, p+".1") },
		"removed":           os.Remove,
		"truncated":         func(p string) error { return os.Truncate(p, 0) },
		"directory removed": func(p string) error { return os.RemoveAll(filepath.Dir(p)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &rotate.File{Path: path(t)}
			w := open(t, f)
			write(t, w, "before\n")
			require.NoError(t, take(f.Path))
			require.Eventually(t, func() bool {
				write(t, w, "after\n")
				b, err := os.ReadFile(f.Path)
				return err == nil && strings.HasSuffix(string(b), "after\n") && !strings.Contains(string(b), "\x00")
			}, patience, glance)
			require.NoError(t, w.Close())
		})
	}
}

// While the directory is not there and cannot be made there are errors, and then
// it goes on.
func TestDirectoryInTheWay(t *testing.T) {
	f := &rotate.File{Path: path(t)}
	dir := filepath.Dir(f.Path)
	w := open(t, f)
	write(t, w, "before\n")
	require.NoError(t, os.RemoveAll(dir))
	require.NoError(t, os.WriteFile(dir, nil, 0o600))
	require.Eventually(t, func() bool {
		_, err := io.WriteString(w, "lost\n")
		return err != nil
	}, patience, glance)
	require.NoError(t, os.Remove(dir))
	write(t, w, "after\n")
	require.NoError(t, w.Close())
	require.Equal(t, "after\n", read(t, f.Path))
}

func TestValidate(t *testing.T) {
	for want, f := range map[string]*rotate.File{
		"nil File":                        nil,
		"Path: empty":                     {},
		"Path: contains a NUL byte":       {Path: "a\x00"},
		"MaxSize: less than 131072: 1000": {Path: "a", MaxSize: 1000},
		"MaxSize: less than 131072: -1":   {Path: "a", MaxSize: -1},
		"Interval: less than a minute":    {Path: "a", Interval: time.Second},
		"Interval: not in whole seconds":  {Path: "a", Interval: 90*time.Second + 1},
		"Interval: more than a day":       {Path: "a", Interval: 36 * time.Hour},
		"MaxAge: negative: -1ns":          {Path: "a", MaxAge: -1},
		"Mode: more than permissions":     {Path: "a", Mode: os.ModeSetuid | 0o600},
	} {
		require.ErrorContains(t, f.Validate(), want)
		_, err := f.Open()
		require.ErrorContains(t, err, want)
	}
	require.ErrorContains(t, (&proc.Command{Path: "true", Stderr: &rotate.File{}}).Validate(), "Stderr: Path: empty")
}

func TestOtherSettings(t *testing.T) {
	f := &rotate.File{Path: path(t)}
	w := open(t, f)
	_, err := (&rotate.File{Path: f.Path, Compress: true}).Open()
	require.ErrorContains(t, err, "other settings")
	require.NoError(t, w.Close())
	require.ErrorIs(t, w.Close(), os.ErrClosed)
	_, err = w.Write(nil)
	require.ErrorIs(t, err, os.ErrClosed)
	_, err = (&rotate.File{Path: f.Path, Compress: true}).Write([]byte("alone\n"))
	require.NoError(t, err)
	require.Equal(t, "alone\n", read(t, f.Path))
}

// shell runs a script with its output in f.
func shell(f *rotate.File, script string, log slog.Handler) error {
	return (&proc.Command{Path: "sh", Args: []string{"-c", script}, Stdout: f, Stderr: f, Logger: slog.New(log)}).Serve(context.Background())
}

func TestProcesses(t *testing.T) {
	f := &rotate.File{Path: path(t), MaxSize: size, MaxFiles: -1}
	for range 2 { // and again
		var wg sync.WaitGroup
		for _, word := range []string{"one", "two"} {
			wg.Go(func() {
				if err := shell(f, "yes "+word+" | head -n 50000; printf '%s' "+word+" >&2", slog.DiscardHandler); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	count := map[string]int{}
	for _, name := range append(older(t, f.Path), f.Path) {
		for line := range strings.Lines(read(t, name)) {
			count[line]++
		}
	}
	require.Equal(t, map[string]int{"one\n": 100_002, "two\n": 100_002}, count)
	require.Greater(t, len(older(t, f.Path)), 4)
}

func TestStartFails(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(name, nil, 0o600))
	err := shell(&rotate.File{Path: filepath.Join(name, "app.log")}, "", slog.DiscardHandler)
	require.ErrorContains(t, err, "Stdout")
	require.ErrorContains(t, err, name)
	var pathError *os.PathError
	require.ErrorAs(t, err, &pathError)
}
