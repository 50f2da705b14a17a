package tree

import (
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// What was kept is never below what it was, whoever keeps what meanwhile, and is exact
// where few have.
func TestNumbersKept(t *testing.T) {
	var k numbers
	require.Zero(t, k.Last("root", "a"))
	k.Keep("root", "a", 0)
	require.Nil(t, k.places.Load(), "nothing to keep")
	k.Keep("root", "a", 3)
	k.Keep("root", "a", 2)
	k.Keep("root/a", "a", 5)
	require.Equal(t, 3, k.Last("root", "a"))
	require.Equal(t, 5, k.Last("root/a", "a"))
	require.Zero(t, k.Last("root", "b"))
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			for i := range 10_000 {
				k.Keep("many", strconv.Itoa(i%100), i/100*8+n+1)
			}
		})
	}
	wg.Wait()
	for i := range 100 {
		require.GreaterOrEqual(t, k.Last("many", strconv.Itoa(i)), 800)
	}
}

// Names are spread over all places.
func TestNumbersAreSpread(t *testing.T) {
	var k numbers
	for i := range 200 {
		k.Keep("root/pool", "worker-"+strconv.Itoa(i), 1)
	}
	shared := 0
	for i := range 10_000 {
		shared += k.Last("root/pool", "job-"+strconv.Itoa(i))
	}
	require.InDelta(t, 10_000*200/places, shared, 250)
}
