package keeper

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// A process from its start to its end, kept and bare.
func BenchmarkStartToEnd(b *testing.B) {
	defer Hold()()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	require.NoError(b, err)
	defer null.Close()
	files := []*os.File{null, null, null}
	kept := func(b *testing.B) {
		for b.Loop() {
			p, err := Start(Spec{Path: "/bin/true", Args: []string{"true"}, Files: files}, noWarning(b))
			require.NoError(b, err)
			<-p.Ended()
			p.Forget()
		}
	}
	b.Run("kept", kept)
	b.Run("kept, no cgroups", func(b *testing.B) {
		b.Setenv("COPPICE_CGROUPS", "off")
		shared.mu.Lock()
		if shared.parent != nil {
			shared.parent.close()
		}
		shared.parent = nil
		shared.mu.Unlock()
		kept(b)
	})
	b.Run("bare", func(b *testing.B) {
		for b.Loop() {
			p, err := os.StartProcess("/bin/true", []string{"true"}, &os.ProcAttr{Files: files, Env: []string{}})
			require.NoError(b, err)
			_, err = p.Wait()
			require.NoError(b, err)
		}
	})
}
