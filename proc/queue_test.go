package proc

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Whatever comes in whatever pieces, and however slow the consumer is: what it
// gets are whole lines of those that were written, in order, every other is
// counted, and no more is held than there is room for.
func TestQueue(t *testing.T) {
	const size = 64
	rapid.Check(t, func(t *rapid.T) {
		q := newQueue(size)
		var in, out strings.Builder
		lost := loss{}
		take := func() {
			batch, l, more := q.next()
			require.True(t, more)
			out.Write(batch)
			lost.add(l)
		}
		letter := byte('!') // no two lines are the same, or one the beginning of another
		for range rapid.IntRange(0, 30).Draw(t, "n") {
			if rapid.Bool().Draw(t, "take") && (len(q.fill) > 0 || q.tells()) {
				take()
				continue
			}
			var b []byte
			for _, n := range rapid.SliceOfN(rapid.IntRange(1, 20), 0, 3).Draw(t, "lines") {
				b = append(append(b, bytes.Repeat([]byte{letter}, n)...), '\n')
				letter++
			}
			if rapid.Bool().Draw(t, "open") && len(b) > 0 {
				b = b[:len(b)-1]
			}
			in.Write(b)
			if len(b) > 0 {
				q.push(b)
			}
			require.LessOrEqual(t, len(q.fill), size/2+1)
		}
		q.end()
		for len(q.fill) > 0 || q.tells() {
			take()
		}
		_, _, more := q.next()
		require.False(t, more)

		written := strings.SplitAfter(in.String(), "\n")
		got := strings.SplitAfter(out.String(), "\n")
		k, whole := 0, int64(0)
		for _, line := range got {
			if line == "" {
				continue
			}
			for k < len(written) && !strings.HasPrefix(written[k], strings.TrimSuffix(line, "\n")) {
				k++
			}
			require.Less(t, k, len(written), "a line that was not written: %q", line)
			if written[k] == line {
				whole++
			}
			k++
		}
		all := int64(strings.Count(in.String(), "\n"))
		if !strings.HasSuffix(in.String(), "\n") && in.Len() > 0 {
			all++
		}
		require.Equal(t, all, whole+lost.lines)
		require.Equal(t, q.dropped(), lost)
		if lost.lines == 0 {
			require.Equal(t, in.String(), out.String())
		}
	})
}

// What is told is what is counted, also of a line whose beginning was told before.
func TestQueueTellsAllItDrops(t *testing.T) {
	for name, rest := range map[string]string{"end": "b\nc\n", "no end": "b"} {
		q := newQueue(minOutputBuffer)
		q.push(append(bytes.Repeat([]byte("x"), minOutputBuffer/2-1), '\n'))
		q.push([]byte("aaaa"))
		_, lost, _ := q.next()
		require.Equal(t, loss{1, 4}, lost)
		for range 1000 {
			q.push([]byte("bbbb"))
		}
		q.push([]byte(rest))
		q.end()
		batches := 0
		for more := true; more; batches++ {
			var l loss
			_, l, more = q.next()
			lost.add(l)
		}
		require.Equal(t, q.dropped(), lost, name)
		require.Equal(t, 2, batches, name)
	}
}
