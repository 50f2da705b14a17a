package tree_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/tree"
	"github.com/coppice-go/coppice/tree/internal/otp"
)

// What the real OTP supervisor did (testdata/otp) is done here too, event for
// event, through the public API alone. OTP_VECTORS=FILE plays another file.
//
// The lines that are not compared, each for its reason:
var notCompared = map[string]func(otp.Event) bool{
	// Any return after the stop was asked for is a shutdown, so there is nothing
	// to report about how a child went about it, but that it had to be given up.
	"shutdown_error": func(e otp.Event) bool {
		return e["kind"] == "shutdown_error" && e["reason"] != "killed"
	},
}

func compared(e otp.Event) bool {
	for _, not := range notCompared {
		if not(e) {
			return false
		}
	}
	return true
}

func TestOTPTraces(t *testing.T) { playOTPTraces(t) }

// In virtual time no child runs for long. Here all are taken to have: their ends go
// ahead of none that came before.
func TestOTPTracesOfLongRuns(t *testing.T) {
	defer tree.SetLongRun(0)()
	playOTPTraces(t)
}

func playOTPTraces(t *testing.T) {
	cases, err := otp.Load(filepath.Join("testdata", "otp"))
	require.NoError(t, err)
	require.NotEmpty(t, cases)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				p := newOTPPlayer(t, c.Tree)
				p.play(c.Steps)
				if diff := otp.Diff(otp.Lines(c.Trace, compared), otp.Lines(p.trace, compared)); diff != "" {
					t.Errorf("%s differs:\n%s", c.Name, diff)
				}
				p.finish()
			})
		})
	}
}
