package proc

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A program that comes too late to its timers does not blame the process: what was
// said in time counts, though it was not read.
func TestWatchdogOfALateProgram(t *testing.T) {
	for text, late := range map[string]bool{"WATCHDOG=1": true, "STATUS=busy": false} {
		p := &process{cmd: &Command{Watchdog: time.Hour}, ready: make(chan struct{})}
		require.NoError(t, p.openNotices())
		n := p.notices
		n.arm()
		n.due = time.Now()
		conn, err := net.Dial("unixgram", n.socket.Name)
		require.NoError(t, err)
		_, err = conn.Write([]byte(text))
		require.NoError(t, err)
		require.NoError(t, conn.Close())
		n.listen(t.Context())
		require.Equal(t, late, n.overdue() == nil)
		n.close()
		n.end(time.Now().Add(writerWait))
	}
}
