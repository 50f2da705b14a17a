package machine

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/tree/internal/otp"
)

// The traces of the real OTP supervisor, played against a tree of machines without
// goroutines or a clock. Report lines are compared above, where there are events.
func TestOTPTraces(t *testing.T) { playAll(t, machineOf) }

// The reference is checked against OTP too.
func TestOTPTracesReference(t *testing.T) {
	playAll(t, func(cfg Config) acting {
		r := newReference(cfg)
		t.Cleanup(r.close)
		return r
	})
}

func playAll(t *testing.T, make func(Config) acting) {
	cases, err := otp.Load(filepath.Join("..", "..", "testdata", "otp"))
	require.NoError(t, err)
	require.NotEmpty(t, cases)
	compared := func(e otp.Event) bool { return e["t"] != "report" }
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			p := newPlayer(c.Tree, make)
			p.play(c.Steps)
			if diff := otp.Diff(otp.Lines(c.Trace, compared), otp.Lines(p.trace, compared)); diff != "" {
				t.Errorf("%s differs:\n%s", c.Name, diff)
			}
		})
	}
}
