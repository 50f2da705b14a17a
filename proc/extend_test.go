package proc

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A process may be quicker to ask than the program to set the time.
func TestExtensionBeforeTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, asked := range []bool{true, false} {
			var l limits
			l.extend(time.Hour)
			if !asked {
				l.forget()
			}
			begun := time.Now()
			timer := time.NewTimer(time.Minute)
			end := l.begin(timer, time.Minute)
			<-timer.C
			end()
			require.Equal(t, asked, time.Since(begun) == time.Hour)
		}
	})
}
