package workloads

import (
	"time"

	"github.com/coppice-go/coppice/bench/contest"
)

var message = &Workload{
	Name: "message", N: "messages",
	About: "One sender and one message-driven child of a supervisor. tell: n messages that want no answer, until the " +
		"child has handled the last. pingpong: n/10 round trips, one after the other, between the child and a peer of " +
		"the same kind. call: n/100 requests, each with a bound on its time, from outside (Coppice's Call, " +
		"protoactor's RequestFuture, gen_server's call), one after the other. After a tenth of each that is not counted. " +
		"protoactor's child is one that nothing supervises; the floor has channels, with room for 1,024.",
	Metrics: []Metric{
		{Name: "tell", Unit: "ns", About: "a message without an answer"},
		{Name: "pingpong", Unit: "ns", About: "a round trip between two of a kind"},
		{Name: "call", Unit: "ns", About: "a call from outside"},
	},
	Short: []int{1_000_000}, Full: []int{5_000_000},
	Run: func(e *Env) error {
		m, ok := e.Adapter.(contest.Messenger)
		if !ok {
			return contest.ErrHasNone
		}
		mail, err := m.Mail()
		if err != nil {
			return err
		}
		for _, w := range []struct {
			metric string
			send   func(int) error
			n      int
		}{{"tell", mail.Tell, e.N}, {"pingpong", mail.PingPong, e.N / 10}, {"call", mail.Call, e.N / 100}} {
			n := max(w.n, 1)
			if err := w.send(n/10 + 1); err != nil {
				return err
			}
			begin := time.Now()
			if err := w.send(n); err != nil {
				return err
			}
			e.report(w.metric, float64(time.Since(begin).Nanoseconds())/float64(n))
		}
		return mail.Stop()
	},
}
