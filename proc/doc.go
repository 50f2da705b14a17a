// Package proc runs operating system processes as children of a supervision
// tree.
//
//	tree.Child{Name: "thumbs", Service: &proc.Command{
//		Path:  "thumbnailer",
//		Args:  []string{"-q"},
//		Ready: proc.LogLine("listening"),
//	}}
//
// # What a child is
//
// A Command is its whole process group: the process that was started and all it
// starts in turn, unless they leave the group by setsid or setpgid. The child has
// ended when the group is empty, not before. A stop sends Signal to the group,
// and SIGKILL when the grace, Child.Shutdown, has passed. When the process ends
// by itself and leaves others behind in its group, these are stopped in the same
// way before the end is told.
//
// # What an end means
//
//	exit code 0, or one of ExpectedCodes    nil: normal
//	any other code, or a signal             *ExitError: abnormal
//	it could not be started                 an error before ready: the start failed
//	it ended before it was ready            *ExitError: the start failed
//
// # What is promised where
//
// On Linux the process gets SIGKILL when the supervising program dies, however it
// dies. This holds for the process that was started, and not for what it starts
// in turn, nor if it changes its user by a setuid program. Waiting for a process
// costs no thread. On other Unix systems there is no such signal, and on Windows
// there are neither groups nor signals: a stop ends the process at once, and only
// it.
//
// # Output
//
// What the process writes to stdout and stderr goes to Logger line by line, or to
// a writer. A slow one slows the process down, and nothing is dropped. One that
// takes nothing for a second when the process has ended, or has not taken all
// within a second of a stop, is given up with what it has not taken; that is the
// most that it can hold up a stop beyond the grace. Pipes that something outside
// the group keeps open are not waited for.
package proc
