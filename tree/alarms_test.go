package tree

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/tree/internal/machine"
)

// Alarms come when they are due, those of the same time in the order in which they
// were set, and never when they were cancelled.
func TestAlarms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rings := make(chan struct{}, 1)
		a := alarms{ring: func() { rings <- struct{}{} }}
		r := rand.New(rand.NewPCG(1, 2))
		begun := time.Now()
		want := map[uint64]time.Duration{}
		set := map[uint64]*alarm{}
		var told []uint64
		for token := uint64(1); token <= 500; token++ {
			d := time.Duration(r.IntN(50)) * time.Second
			set[token] = a.set(&machine.Effect{Delay: d, Token: token})
			want[token] = d
			if r.IntN(2) == 0 { // one of them, set or cancelled or about to be set anew
				n := 1 + r.Uint64N(token)
				it := set[n]
				a.cancel(&it)
				require.Nil(t, it)
				set[n] = nil
				delete(want, n)
			}
		}
		for len(told) < len(want) {
			<-rings
			a.rang()
			now := time.Now()
			for it := a.due(now); it != nil; it = a.due(now) {
				require.Equal(t, want[it.token], now.Sub(begun))
				told = append(told, it.token)
			}
			a.arm()
		}
		for i := 1; i < len(told); i++ {
			x, y := told[i-1], told[i]
			require.True(t, want[x] < want[y] || want[x] == want[y] && x < y)
		}
		require.Empty(t, a.heap)
	})
}

// A grace given again and again needs one timer, and one alarm.
func TestAlarmsOneTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int32
		a := alarms{ring: func() { n.Add(1) }}
		var first *alarm
		for i := range 1000 {
			it := a.set(&machine.Effect{Delay: time.Second})
			if i == 0 {
				first = it
			}
			require.Same(t, first, it)
			time.Sleep(time.Millisecond)
			a.cancel(&it)
		}
		require.LessOrEqual(t, n.Load(), int32(1))
		a.stop()
		time.Sleep(time.Hour)
		require.LessOrEqual(t, n.Load(), int32(1))
	})
}
