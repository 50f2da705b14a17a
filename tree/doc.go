// Package tree runs supervision trees, modelled on Erlang/OTP.
//
// # Usage
//
// A Spec describes a supervisor and its children; a child whose Service is a Spec
// is a supervisor too. Run runs the tree until its context is cancelled, Start
// returns a handle, Main is what a program's main calls:
//
//	err := tree.Run(ctx, tree.Spec{
//		Name:     "shop",
//		Strategy: strategies.RestForOne,
//		Children: []tree.Child{
//			{Name: "db", Service: actor.Func(db), StartTimeout: 10 * time.Second},
//			{Name: "api", Service: api, Shutdown: 15 * time.Second},
//		},
//	})
//
// Children start in order, each when the one before it is ready, and stop in
// reverse order, each with its own grace. A child that ends is restarted as its
// Restart, its Policy and the supervisor's Strategy say; if that happens more
// often than the Intensity allows, the supervisor stops its children and ends,
// and its own supervisor decides. How an end is read is told by package actor.
//
// # Paths
//
// A child is named by its path from the root, such as "shop/workers/w3". Requests
// work on any depth. They wait for their turn: a supervisor finishes an ordered
// operation, such as a restart of a group, before it answers the next request.
// Snapshot, Find and CountChildren are answered at once.
//
// # Concurrency
//
// All methods of Tree may be called from any goroutine. A child may call them
// too, with its own context, which ends the call when the child is asked to stop;
// with another context, one that waits for its own supervisor may wait for
// itself. A nil context is context.Background(), here as in Run and Start.
//
// No lock is held while user code runs. Observers and loggers run in goroutines of
// their own: a slow one loses events, which is counted, and never slows the tree.
//
// # Stuck children
//
// A goroutine cannot be killed. A child that does not return within its grace
// after its context was cancelled is stuck: it is reported with its stack, shown
// in snapshots and in the Report of the stop, and OnStuck says what else happens.
//
// # Debugging
//
// The goroutines of a child, and those it starts, run under the pprof labels
// LabelPath and LabelIncarnation. At level warn and above the log has one line for
// a failure; at level debug, every event.
//
// # Testing
//
// A tree works inside a bubble of testing/synctest, where delays and timeouts
// take no time. Start it there, and stop it before the bubble ends.
package tree
