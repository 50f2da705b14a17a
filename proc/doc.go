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
// A Command is the process that was started and all that descends from it. The
// child has ended when nothing of that is alive, not before; the section on the
// guardian has the exceptions. A stop sends Signal to the process's group, and when
// the process itself has ended also to what has left the group, by setsid or a
// double fork; SIGKILL to all of them follows when the grace, Child.Shutdown, has
// passed. Stop can say more than one thing to do. When the process ends by itself
// and leaves others behind, these are stopped in the same way before the end is
// told; they have Grace, or DefaultGrace, for that, whatever Child.Shutdown is.
//
// # What an end means
//
//	exit code 0, or one of ExpectedCodes    nil: normal
//	a signal of ExpectedSignals             nil: normal
//	any other code or signal                *ExitError: abnormal
//	it could not be started                 an error before ready: the start failed
//	it ended before it was ready            *ExitError: the start failed
//	it was stopped because of a probe       *ProbeError: abnormal, or the start failed
//	it has missed its Watchdog              the same
//
// # While it runs
//
// Ready says when the child counts as started, Alive how it is checked from then
// on. Signal, Reload, Tail, Output and Sample reach a process by its path in the
// tree; a snapshot has the last lines too.
//
// # What it says of itself
//
// On Linux a process may speak as to systemd, by sd_notify(3), if Ready is Notify, or
// Watchdog, NotifySocket or Reloading.Await is set. What is heard:
//
//	READY=1                  it is ready, if Ready is Notify; it has reloaded
//	STATUS=text              shown in snapshots, one line of 512 bytes at most
//	RELOADING=1, STOPPING=1  shown before that
//	STOPPING=1               no Watchdog any more; but if Grace is set, it has that long to end
//	WATCHDOG=1               it is alive, for another time of the Watchdog
//	WATCHDOG=trigger         it is not
//	WATCHDOG_USEC=n          the Watchdog's time from now on; 0: none
//	EXTEND_TIMEOUT_USEC=n    n microseconds from now, if that is more than is left, to be
//	                         ready (ReadyTimeout, Child.StartTimeout), to say WATCHDOG=1,
//	                         or to end (StopStep.Wait, Grace, Child.Shutdown)
//	ERRNO=n                  why it failed, in ExitError
//	BARRIER=1                by closing the descriptor that comes with it
//
// MAINPID is not: the child is the process that was started. Descriptors to be stored
// are closed, sockets without lingering. All that descends from the process may speak, so a shell script may run
// systemd-notify, and WATCHDOG_PID is not set. Of other users only root and the
// program's own are heard otherwise; a process that changed its user is looked for
// among the living when its message is read, so it should not end before (see
// sd_notify_barrier). A message of more than 64 KiB is not heard.
//
// The socket is in the abstract namespace, one for each incarnation: a process needs
// no file for it, in a chroot neither, but to be in the program's network namespace.
//
// What the program itself was told by its service manager, NOTIFY_SOCKET, WATCHDOG_USEC,
// LISTEN_FDS and the like, its processes do not inherit.
//
// # The guardian
//
// On Linux the processes are not started by the program itself but by a guardian:
// a second process of the same executable, "coppice-guardian" in a list of
// processes, which lives as long as a tree that has run a Command. When the
// program is gone, however it went, the guardian kills everything that descends
// from it. Whatever loses its own parent falls to the guardian, which knows by a
// mark, carried in the unused resource limit RLIMIT_LOCKS, to which child it
// belongs. Where control groups (v2) can be made, each process has one besides. A
// mark is no proof against a hostile process, which may hide or forge it: without
// control groups that one can leave its child, and lives until the guardian ends.
// Where there are neither groups nor marks, because RLIMIT_LOCKS is limited or the
// program is in a fourth tree inside trees, what leaves its group may be left
// behind, which is logged.
//
// It costs a start of the program, once, and some MB of memory. Of the program
// nothing runs in it but the init functions of packages that are initialised
// before this one: that is, of packages that do not import it. A process has no
// terminal, for the guardian has a session of its own. What the program does to
// itself later, such as changing its user, the guardian does not do. If it is
// killed, all processes are started anew, by another. If somebody stops it, it is
// woken up, and killed if it does not answer for 4 s; but a program that ends while
// its guardian is stopped leaves everything alive until that goes on. If none can be
// started,
// which is logged, or if COPPICE_GUARDIAN is "off" in the environment, the program
// is the parent: then the processes still die with it, but what they have started
// does not, nor what runs as another user, and who leaves the group is left
// alone. COPPICE_CGROUPS "off" does without control groups.
//
// # What is promised where
//
// Waiting for a process costs no thread on Linux. On other Unix systems there is
// no guardian, a child is its process group, and it outlives a program that is
// killed. On Windows there are neither groups nor signals: a stop ends the
// process at once, and only it.
//
// # Output
//
// What the process writes to stdout and stderr goes to Logger line by line, or to
// a writer as it is. A *os.File is handed to the process itself. A *rotate.File,
// of package proc/rotate, is a file that is rotated; see Opener.
//
// A slow logger or writer slows the process down, and nothing is dropped: that is
// Block. With Drop in Command.Overflow the process never waits. What there is no
// room for in Command.OutputBuffer is dropped in whole lines; a line that somebody
// has the beginning of ends there. How much it was is logged when the flow goes on
// and at the end, and told by Output and ExitError.
//
// A line for the Logger is cut at 64 KiB, at the end of a character. A stream holds
// no more than that, what is read at once, which is 64 KiB too, the last lines and,
// under Drop, its buffer; one that is idle holds the last lines. Lines that were read
// together are parts of one string of up to 8 KiB: a handler that keeps one for long
// may want a strings.Clone of it.
//
// A logger or writer that takes nothing for a second when the process has ended, or
// has not taken all within a second of a stop, is given up with what it has not
// taken; that is the most that it can hold up a stop beyond the grace, and a Stdin
// whose reader blocks has its time within that. Pipes that something else keeps open
// are not waited for.
package proc
