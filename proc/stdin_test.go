package proc_test

import (
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/proc"
)

// reading is a reader made of a function.
type reading func([]byte) (int, error)

func (r reading) Read(b []byte) (int, error) { return r(b) }

func TestStdin(t *testing.T) {
	long := strings.Repeat("all work and no play\n", 100_000)
	for name, stdin := range map[string]func() (io.Reader, error){
		long:           proc.Text(long),
		"":             nil,
		"nil\n":        func() (io.Reader, error) { return io.MultiReader(strings.NewReader("nil\n")), nil },
		"from a file ": func() (io.Reader, error) { return os.Open(written(t, "from a file ")) },
	} {
		for range 2 { // one value serves many incarnations
			var out strings.Builder
			c := helper(t, "copy")
			c.Stdin, c.Stdout = stdin, &out
			require.NoError(t, serve(t, c).end())
			require.Equal(t, name, out.String())
		}
	}
}

func TestStdinThatIsNotRead(t *testing.T) {
	c := helper(t, "exit=0")
	c.Stdin = proc.Text(strings.Repeat("x", 10<<20))
	require.NoError(t, serve(t, c).end())
}

func TestStdinThatBlocks(t *testing.T) {
	r, w := io.Pipe()
	defer w.Close()
	c := helper(t, "out=up")
	c.Stdin = func() (io.Reader, error) { return r, nil }
	require.NoError(t, serve(t, c).end(), "closing the reader ends it")
	_, err := w.Write([]byte("x"))
	require.ErrorIs(t, err, io.ErrClosedPipe)
}

func TestStdinThatFails(t *testing.T) {
	broken := errors.New("broken")
	c := helper(t)
	c.Stdin = func() (io.Reader, error) { return nil, broken }
	err := notStarted(t, c)
	require.ErrorIs(t, err, broken)
	require.ErrorContains(t, err, "Stdin")
	c.Stdin = func() (io.Reader, error) { panic("oh") }
	require.ErrorContains(t, serve(t, c).end(), "oh")

	for _, read := range []reading{
		func([]byte) (int, error) { return 0, broken },
		func([]byte) (int, error) { panic("oh") },
		func([]byte) (int, error) { runtime.Goexit(); return 0, nil },
	} {
		c := helper(t, "copy")
		c.Stdin = func() (io.Reader, error) { return read, nil }
		require.NoError(t, serve(t, c).end(), "the process sees the end of its input")
	}
}
