package proc_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/tree"
)

// logged is what is logged of stdout when the helper has played the steps.
func logged(t *testing.T, steps ...string) []string {
	t.Helper()
	j := &journal{}
	c := helper(t, steps...)
	c.Logger = j.logger()
	require.NoError(t, serve(t, c).end())
	require.Empty(t, j.lines(""), "no complaint")
	return j.lines("stdout")
}

func TestLines(t *testing.T) {
	for _, c := range []struct {
		name string
		raw  string
		want []string
	}{
		{"no output", ``, []string{}},
		{"one", `a b\n`, []string{"a b"}},
		{"two", `a\nb\n`, []string{"a", "b"}},
		{"no end of line", `a\nb`, []string{"a", "b"}},
		{"CRLF", `a\r\nb\r\n`, []string{"a", "b"}},
		{"CR in a line", `10%\r20%\r\n`, []string{"10%\r20%"}},
		{"CR at the end", `a\r`, []string{"a"}},
		{"empty", `\n\n\r\n`, []string{"", "", ""}},
		{"not UTF-8", `a\xff\xfeb\n`, []string{"a\uFFFDb"}},
		{"NUL", `a\x00b\n`, []string{"a\x00b"}},
		{"UTF-8", `grün 木\n`, []string{"grün 木"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, logged(t, "raw="+c.raw))
		})
	}
}

func TestLinesInPieces(t *testing.T) {
	require.Equal(t, []string{"abc", "def"}, logged(t, "raw=a", "raw=b", `raw=c\nd`, "raw=e", "raw=f"))
}

func TestLinesCarryWhoseTheyAre(t *testing.T) {
	j := &journal{}
	c := helper(t, "out=to stdout", "err=to stderr", "wait")
	c.Logger = j.logger().With("app", "shop")
	w := start(t, tree.Child{Name: "p", Service: c})
	j.await(t, "to stdout")
	j.await(t, "to stderr")
	pid := int64(w.node("p").PID)
	for _, e := range j.all() {
		require.Equal(t, map[string]any{
			"app": "shop", "path": "root/p", "stream": strings.TrimPrefix(e.text, "to "), "pid": pid,
		}, e.attrs)
		require.Equal(t, slog.LevelInfo, e.level)
	}
}

// What was written right before the end is there.
func TestLastOutputIsNotLost(t *testing.T) {
	for range 10 {
		got := logged(t, "lines=1000")
		require.Len(t, got, 1000)
		for i, line := range got {
			require.Equal(t, fmt.Sprintf("line %d", i+1), line)
		}
	}
}

// A long line is cut, and kept in pieces that are all there.
func TestLongLine(t *testing.T) {
	const size, most = 5 << 20, 64 << 10
	got := logged(t, is("long", size))
	sum := 0
	for i, line := range got {
		piece, cut := strings.CutSuffix(line, " …")
		require.Equal(t, i < len(got)-1, cut)
		require.LessOrEqual(t, len(piece), most)
		require.Empty(t, strings.Trim(piece, "x"))
		sum += len(piece)
	}
	require.Equal(t, size, sum)
}

func TestLongLineIsNotCutInACharacter(t *testing.T) {
	const size = 50_000
	got := logged(t, "raw=a", is("wide", size))
	require.Len(t, got, 3)
	text := strings.ReplaceAll(strings.Join(got, ""), " …", "")
	require.True(t, text == "a"+strings.Repeat("木", size))
	require.True(t, utf8.ValidString(text))
}

func TestFlood(t *testing.T) {
	var lines counter
	c := helper(t, "flood")
	c.Logger = slog.New(&lines)
	w := start(t, tree.Child{Name: "p", Service: c})
	require.Eventually(t, func() bool { return lines.n() > 10_000 }, patience, glance)
	w.stop()
}

// A writer gets the bytes as they are, and the Logger none of them.
func TestWriters(t *testing.T) {
	var stdout, stderr bytes.Buffer
	j := &journal{}
	c := helper(t, `raw=a\r\n\xffb`, "err=c")
	c.Stdout, c.Stderr, c.Logger = &stdout, &stderr, j.logger()
	require.NoError(t, serve(t, c).end())
	require.Equal(t, "a\r\n\xffb", stdout.String())
	require.Equal(t, "c\n", strings.ReplaceAll(stderr.String(), "\r", ""))
	require.Empty(t, j.all())
}

func TestOneWriterForBothStreams(t *testing.T) {
	var b bytes.Buffer // which the race detector watches
	steps := []string{}
	for range 50 {
		steps = append(steps, "out=out", "err=err")
	}
	c := helper(t, steps...)
	c.Stdout, c.Stderr = &b, &b
	require.NoError(t, serve(t, c).end())
	require.Equal(t, 50, strings.Count(b.String(), "out\n"))
	require.Equal(t, 50, strings.Count(b.String(), "err\n"))
}

// A slow logger slows the process down, and loses nothing: neither of what is in
// the pipe when the process ends, nor because it takes long for all of it.
func TestSlowLogger(t *testing.T) {
	const n = 5000
	j := &journal{}
	c := helper(t, is("lines", n), "exit=3")
	c.Logger = slog.New(hook{j.logger().Handler(), func(r slog.Record) {
		if strings.HasSuffix(r.Message, "000") {
			time.Sleep(250 * time.Millisecond)
		}
	}})
	require.Equal(t, 3, serve(t, c).exited().Code)
	require.Len(t, j.lines("stdout"), n)
}
