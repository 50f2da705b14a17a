package keeper

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The guardian's timers may be late, and those of the processes it starts no later than
// this program's.
func TestSlack(t *testing.T) {
	defer Hold()()
	own, err := os.ReadFile("/proc/self/timerslack_ns")
	require.NoError(t, err)
	c := shell(t, "cat /proc/self/timerslack_ns; cat /proc/$PPID/timerslack_ns 2>/dev/null || echo hidden")
	defer c.Forget()
	require.Equal(t, strings.TrimSpace(string(own)), c.read())
	guardians := c.read()
	c.ended()
	if guardians == "hidden" {
		t.Skip("to see it of another process takes CAP_SYS_NICE")
	}
	require.Equal(t, strconv.Itoa(relaxed), guardians)
}
