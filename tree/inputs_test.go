package tree

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/tree/internal/machine"
)

// What is ahead or fed comes first, but what came in is not held up for ever.
func TestInputs(t *testing.T) {
	var (
		q   inputs
		box mailbox
	)
	next := func() int {
		in, ok := q.next(&box)
		if !ok {
			return 0
		}
		return in.Gen
	}
	box.post(machine.Input{Gen: 5})
	box.post(machine.Input{Gen: 6})
	q.feed(machine.Input{Gen: 3})
	q.feed(machine.Input{Gen: 4})
	box.post(machine.Input{Gen: 1, Ahead: true})
	box.post(machine.Input{Gen: 2, Ahead: true})
	for want := range 6 {
		require.Equal(t, want+1, next())
	}
	require.Zero(t, next())

	for name, again := range map[string]func(){
		"fed":   func() { q.feed(machine.Input{Gen: 1}) },
		"ahead": func() { box.post(machine.Input{Gen: 1, Ahead: true}) },
	} {
		t.Run(name, func(t *testing.T) {
			again()
			for range maxSteps {
				require.Equal(t, 1, next())
				again()
				box.post(machine.Input{Gen: 2})
			}
			for range maxSteps {
				require.Equal(t, 2, next())
				box.post(machine.Input{Gen: 3}) // too late for this time
			}
			require.Equal(t, 1, next())
			for range maxSteps {
				require.Equal(t, 3, next())
			}
			require.Zero(t, next())
		})
	}
}

// Nothing goes ahead of what is firm, until that is done.
func TestInputsAheadOfNothingFirm(t *testing.T) {
	for name, firm := range map[string]machine.Input{
		"a request":      {Kind: machine.Ask},
		"a stop":         {Kind: machine.Stop},
		"a kill":         {Kind: machine.Kill},
		"bad health":     {Kind: machine.Unhealthy},
		"an end like it": {Kind: machine.Exited, Ahead: true},
	} {
		t.Run(name, func(t *testing.T) {
			var (
				q   inputs
				box mailbox
			)
			end := func(gen int, ahead bool) { box.post(machine.Input{Kind: machine.Exited, Gen: gen, Ahead: ahead}) }
			next := func(want int) {
				t.Helper()
				in, ok := q.next(&box)
				require.True(t, ok)
				require.Equal(t, want, in.Gen)
			}
			end(1, false)
			next(1)
			end(3, false)
			end(2, true)
			next(2)
			end(4, false)
			if firm.Gen = 5; firm.Ahead {
				box.firm.Store(1) // another before it
			}
			box.post(firm)
			end(6, true)
			next(3)
			end(7, true)
			for want := 4; want <= 7; want++ {
				next(want)
			}
			if firm.Ahead {
				box.firm.Store(0)
			}
			end(9, false)
			end(8, true)
			next(8)
			next(9)
		})
	}
}

// Room for very many is not kept.
func TestInputsMemory(t *testing.T) {
	var (
		q   inputs
		box mailbox
	)
	for range 2 * keepCap {
		box.post(machine.Input{Gen: 1})
	}
	for range 2 * keepCap {
		_, ok := q.next(&box)
		require.True(t, ok)
	}
	require.Zero(t, cap(q.news.items))
	require.Zero(t, cap(box.inputs))
}
