//go:build unix

package proc_test

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/proc"
)

// endless is a reader that has always more.
type endless struct{}

func (endless) Read(b []byte) (int, error) { return copy(b, strings.Repeat("x", len(b))), nil }

// Who has read enough is not held up, and may live on.
func TestStdinWithoutEnd(t *testing.T) {
	for _, then := range []string{"", "; exec <&-; sleep 0.01"} {
		var out strings.Builder
		c := &proc.Command{Path: "/bin/sh", Args: []string{"-c", "head -c 5" + then}, Stdout: &out, Logger: silent}
		c.Stdin = func() (io.Reader, error) { return endless{}, nil }
		require.NoError(t, serve(t, c).end())
		require.Equal(t, "xxxxx", out.String())
	}
}

// A pipe is the process's own: what is written later comes, and its end too.
func TestStdinIsAPipe(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	j := &journal{}
	c := helper(t, "out=up", "copy")
	c.Logger = j.logger()
	c.Stdin = func() (io.Reader, error) { return r, nil }
	run := serve(t, c)
	for _, line := range []string{"one", "two"} {
		_, err = io.WriteString(w, line+"\n")
		require.NoError(t, err)
		j.await(t, line)
	}
	require.NoError(t, w.Close())
	require.NoError(t, run.end())
}
