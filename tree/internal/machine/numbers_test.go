package machine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type numbers map[string]int

func (k numbers) Keep(path, name string, n int)  { k[path+"/"+name] = n }
func (k numbers) Last(path, name string) (n int) { return k[path+"/"+name] }

// A child that is added anew goes on from where the last of its name was.
func TestNumbersGoOn(t *testing.T) {
	m := New(Config{Numbers: numbers{}, Path: "root"})
	m.Step(time.Time{}, Input{Kind: Begin})
	for n := 1; n <= 3; n++ {
		m.Step(time.Time{}, Input{Kind: Ask, Request: &Request{Op: StartChild, Name: "a", Child: &Child{}}})
		s := m.Slot("a")
		require.Equal(t, n, s.Gen)
		m.Step(time.Time{}, Input{Kind: Ready, Slot: s, Gen: n})
		m.Step(time.Time{}, Input{Kind: Ask, Request: &Request{Op: TerminateChild, Name: "a"}})
		m.Step(time.Time{}, Input{Kind: Exited, Slot: s, Gen: n})
		m.Step(time.Time{}, Input{Kind: Ask, Request: &Request{Op: DeleteChild, Name: "a"}})
		require.Nil(t, m.Slot("a"))
	}
}
