package proc

import (
	"bytes"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// However the stream is read, the lines are cut between characters and nothing is lost.
func TestSplitterCutsBetweenCharacters(t *testing.T) {
	for _, start := range []string{"", "a", "ab", "é", "𝄞"} {
		for _, size := range []int{1, 2, 3, 1000, 16 << 10, 1 << 20} {
			text := start + strings.Repeat("木", 50_000)
			var s splitter
			var got strings.Builder
			take := func(line string) {
				piece := strings.TrimSuffix(line, " …")
				require.LessOrEqual(t, len(piece), maxLine)
				require.True(t, utf8.ValidString(piece), "%q, read by %d", start, size)
				got.WriteString(piece)
			}
			for rest := []byte(text); len(rest) > 0; {
				n := min(size, len(rest))
				s.feed(rest[:n], take)
				rest = rest[n:]
			}
			s.flush(take)
			require.True(t, text == got.String(), "%q, read by %d", start, size)
		}
	}
}

// What is not UTF-8 is cut where the line is full.
func TestSplitterCutsBytes(t *testing.T) {
	var s splitter
	var got []string
	take := func(line string) { got = append(got, line) }
	for range 300 {
		s.feed([]byte(strings.Repeat("\x80", 999)), take)
	}
	s.flush(take)
	require.Equal(t, []string{"\uFFFD …", "\uFFFD …", "\uFFFD …", "\uFFFD …", "\uFFFD"}, got, "%d bytes", 300*999)
}

// A line at which emit ends its goroutine is one that it has had: the others come.
func TestSplitterGoesOnAfterGoexit(t *testing.T) {
	text := "a\r\nb\n\nc" + strings.Repeat("d\ne\xff\n", 5000) + strings.Repeat("木", 50_000) + "\nf\n" + strings.Repeat("g", 200_000) + "\n\nh"
	lines := func(size, every int) (got []string) {
		var s splitter
		emit := func(line string) {
			got = append(got, line)
			if len(got)%every == 0 {
				runtime.Goexit()
			}
		}
		feed := func(b []byte) {
			var wg sync.WaitGroup
			wg.Go(func() { s.feed(b, emit) })
			wg.Wait()
		}
		for rest := []byte(text); len(rest) > 0; {
			n := min(size, len(rest))
			b := bytes.Clone(rest[:n])
			for feed(b); len(s.pending) > 0; {
				feed(s.again())
			}
			rest = rest[n:]
		}
		s.flush(func(line string) { got = append(got, line) })
		return got
	}
	for _, size := range []int{1000, 64 << 10, 1 << 20} {
		want := lines(size, math.MaxInt)
		for _, every := range []int{1, 2, 3, 1000} {
			require.True(t, slices.Equal(want, lines(size, every)), "read by %d, every %d", size, every)
		}
	}
}
