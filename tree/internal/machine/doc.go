// Package machine is one supervisor as a deterministic step function:
//
//	(state, now, input) -> effects
//
// It has no goroutine, clock, channel or lock, and starts nothing itself: the
// shell around it feeds inputs and carries effects out. All semantics of
// supervision live here, so they can be tested and explored without time.
//
// # How it works
//
// Like OTP's supervisor process the machine does one thing at a time. Ends of
// children, due restarts and requests wait in one queue; when nothing is in
// progress the next is taken. An ordered operation (starting, stopping or
// restarting several children, one awaited after the other) is an op; while it
// waits for a child, everything else queues. Only a stop does not queue: it takes
// the op over.
package machine
