package tree

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	proto "github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Those who ask, by the books of somebody who keeps them: who waits, and since when.
func TestAskers(t *testing.T) {
	system := proto.NewActorSystem()
	defer system.Shutdown()
	rapid.Check(t, func(rt *rapid.T) {
		var failed any // which rapid is to see, and not the bubble
		defer func() {
			if failed != nil {
				panic(failed)
			}
		}()
		synctest.Test(t, func(t *testing.T) {
			defer func() { failed = recover() }()
			tr := &Tree{system: system, root: &supervisor{path: "askers"}, askers: askers{bound: 10 * time.Second, born: time.Now()}}
			type question struct {
				*asker
				pid     *proto.PID
				due     time.Time // zero: unbounded
				settled bool      // answered, or too late
			}
			var open []*question
			var old []*proto.PID // of questions that are closed
			known := map[string]*proto.PID{}
			late := func() {
				synctest.Wait()
				for _, q := range open {
					if !q.settled && !q.due.IsZero() && !time.Now().Before(q.due) {
						q.settled = true
						require.Equal(rt, noAnswer{ErrNoAnswer}, <-q.answer)
						q.answer <- "kept" // as if not read yet
					}
				}
			}
			pick := func() *question { return open[rapid.IntRange(0, len(open)-1).Draw(rt, "question")] }
			rt.Repeat(map[string]func(*rapid.T){
				"ask": func(rt *rapid.T) {
					bounded := rapid.Bool().Draw(rt, "bounded")
					a, sender, err := tr.askers.take(tr, bounded)
					require.NoError(rt, err)
					require.Empty(rt, a.answer)
					q := &question{asker: a, pid: sender}
					if bounded {
						q.due = time.Now().Add(10 * time.Second)
					}
					open, known[a.pid.Id] = append(open, q), a.pid
				},
				"answer": func(rt *rapid.T) {
					if len(open) == 0 {
						rt.Skip()
					}
					if q := pick(); !q.settled {
						q.settled = true
						q.SendUserMessage(q.pid, &proto.MessageEnvelope{Message: "answer"})
						require.Equal(rt, "answer", <-q.answer)
						q.answer <- "kept"
						q.SendUserMessage(q.pid, "once more")
					}
				},
				"answer late": func(rt *rapid.T) {
					if len(old) > 0 {
						pid := rapid.SampledFrom(old).Draw(rt, "pid")
						if p, ok := system.ProcessRegistry.Get(pid); ok {
							p.SendUserMessage(pid, "late")
						}
					}
				},
				"end": func(rt *rapid.T) {
					if len(open) == 0 {
						rt.Skip()
					}
					q := pick()
					if rapid.Bool().Draw(rt, "answer is read") {
						answer, ok := q.close()
						require.Equal(rt, q.settled, ok)
						require.True(rt, !ok || answer == "kept")
					}
					tr.askers.giveBack(tr, q.asker)
					open = slices.DeleteFunc(open, func(o *question) bool { return o == q })
					old = append(old, q.pid)
				},
				"wait": func(rt *rapid.T) {
					time.Sleep(time.Duration(rapid.IntRange(1, 6).Draw(rt, "seconds")) * time.Second)
				},
				"": func(rt *rapid.T) {
					late()
					require.LessOrEqual(rt, len(tr.askers.idle), maxAskers)
				},
			})
			tr.askers.close(tr)
			for _, q := range open {
				tr.askers.giveBack(tr, q.asker)
			}
			for _, pid := range known {
				_, ok := system.ProcessRegistry.Get(pid)
				require.False(rt, ok, "an address is left")
			}
			require.True(rt, tr.askers.timer == nil || !tr.askers.timer.Stop(), "a timer is left")
			_, _, err := tr.askers.take(tr, true)
			require.NoError(rt, err)
			require.True(rt, tr.askers.timer == nil || !tr.askers.timer.Stop(), "one more")
		})
	})
}

// No more than some are kept, and those are used again.
func TestAskersAreKept(t *testing.T) {
	system := proto.NewActorSystem()
	defer system.Shutdown()
	tr := &Tree{system: system, root: &supervisor{path: "askers"}, askers: askers{bound: time.Minute, born: time.Now()}}
	var used []*asker
	for range maxAskers + 2 {
		a, _, err := tr.askers.take(tr, true)
		require.NoError(t, err)
		used = append(used, a)
	}
	for _, a := range used {
		tr.askers.giveBack(tr, a)
	}
	require.ElementsMatch(t, used[:maxAskers], tr.askers.idle)
	_, ok := system.ProcessRegistry.Get(used[maxAskers].pid)
	require.False(t, ok)
	for range maxAskers {
		a, _, err := tr.askers.take(tr, false)
		require.NoError(t, err)
		require.Contains(t, used[:maxAskers], a)
	}
	tr.askers.close(tr)
}
