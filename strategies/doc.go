// Package strategies says who is restarted after a failure, how often and how
// soon.
//
// Strategy tells which siblings a failure touches, Restart which ends of a child
// are followed by a restart, Intensity how many restarts a supervisor bears
// before it gives up, and Policy how long one child waits before it is started
// again and how often. Window and Retries are the counts that go with Intensity
// and Policy.
//
// All of these are plain values and pure functions: none starts a goroutine,
// reads a clock, or draws a random number. Time and chance come in as arguments.
// The enumerations read and write themselves as text, so that a specification
// can be kept in a file.
//
// ActorStrategy, and nothing else here, is about plain protoactor actors: it
// brings the same rules to children that are supervised by a protoactor actor
// and not by a tree.
package strategies
