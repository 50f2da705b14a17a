package strategies_test

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/coppice-go/coppice/strategies"
)

func ExampleStrategy_Affected() {
	children := []string{"db", "cache", "api", "web"}
	lo, hi := strategies.RestForOne.Affected(1, len(children))
	fmt.Println(children[lo:hi])
	// Output: [cache api web]
}

func ExampleStrategy_UnmarshalText() {
	var spec struct{ Strategy strategies.Strategy }
	fmt.Println(json.Unmarshal([]byte(`{"Strategy": "rest_for_one"}`), &spec), spec.Strategy)
	// Output: <nil> rest-for-one
}

func ExampleBackoff_Delay() {
	b := strategies.Backoff{Initial: 100 * time.Millisecond, Max: time.Second, Jitter: strategies.NoJitter}
	for k := 1; k <= 5; k++ {
		fmt.Println(b.Delay(k, 0))
	}
	// Output:
	// 100ms
	// 200ms
	// 400ms
	// 800ms
	// 1s
}

func ExampleWindow() {
	w := strategies.NewWindow(strategies.Intensity{Max: 2, Within: time.Minute})
	now := time.Now()
	for range 3 {
		now = now.Add(10 * time.Second)
		fmt.Println(w.Add(now))
	}
	// Output:
	// 1 true
	// 2 true
	// 3 false
}

func ExamplePolicy_Validate() {
	p := strategies.Policy{Backoff: strategies.Backoff{Initial: time.Second, Factor: 0.5}}
	fmt.Println(p.Validate())
	// Output: Backoff.Factor: 0.5 is not 1 or more
}

func ExampleActorStrategy() {
	shop := func(ctx actor.Context) { /* spawns its children when it gets *actor.Started */ }
	props := actor.PropsFromFunc(shop, actor.WithSupervisor(&strategies.ActorStrategy{
		Strategy:  strategies.RestForOne,
		Intensity: strategies.Intensity{Max: 3, Within: 5 * time.Second},
		Policy:    strategies.Policy{Backoff: strategies.Backoff{Initial: 100 * time.Millisecond}},
	}))
	_ = props
	// Output:
}
