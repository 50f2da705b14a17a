// Package actor defines what a child of a supervision tree is, and how its end
// is read.
//
// # What a child is
//
// A child is anything with a blocking method
//
//	Serve(ctx context.Context) error
//
// Serve runs until the child is done or until ctx is cancelled, which is how a
// supervisor asks a child to stop; context.Cause(ctx) then says why. A plain
// function is a child through Func, a message-driven protoactor actor through
// Props. Every incarnation is one call of Serve on the same value, so state that
// must not survive a restart belongs inside Serve.
//
// # How an end is read
//
//	any return after the stop was asked     shutdown
//	nil                                     normal
//	ErrShutdown, Shutdown(err)              shutdown
//	ErrIgnore before ready                  ignore: started, runs nothing
//	any other error                         abnormal
//	a panic                                 abnormal, *PanicError
//	runtime.Goexit                          abnormal, ErrGoexit
//	an error before ready                   the start failed
//	Escalate(err)                           abnormal, the supervisor ends at once
//	RetryAfter(d, err)                      abnormal, next start not before d
//
// Whether a normal or abnormal end leads to a restart is the supervisor's
// business: see strategies.Restart.
//
// # From inside
//
// Ready, Beat, Self, SetStatus and Killed take the context given to Serve, or
// one derived from it. Outside a tree they do nothing, so that a Serve can be
// called by a test or by another supervisor as it stands.
package actor
