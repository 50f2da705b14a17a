package proc

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/coppice-go/coppice/actor"
)

// DefaultGrace is what a Command outside a tree, and what a process leaves
// behind when it ends by itself, is given to end after Signal.
const DefaultGrace = 5 * time.Second

const (
	maxSignal = 64  // on any system
	maxCode   = 255 // but on Windows
)

// Command is an operating system process as a child. The zero value of every
// field but Path is a usable default. A Command holds nothing of a run, so one
// value may serve many incarnations; it must not be changed while it does.
type Command struct {
	// Path is the program. Without a slash it is looked up in this program's PATH;
	// one found in the working directory is refused, as by os/exec: write "./x"
	// for it. A relative one with a slash is relative to Dir.
	Path string

	// Args are the arguments, without the program's name.
	Args []string

	// Dir is the working directory, which PWD tells unless Env does or ClearEnv is set.
	// Empty: that of this program.
	Dir string

	// Env are "KEY=value" strings, added to the environment of this program, but for
	// what a service manager has told it by NOTIFY_SOCKET, WATCHDOG_USEC, LISTEN_FDS and
	// the like; a later one of the same key wins.
	Env []string

	// ClearEnv starts from an empty environment instead.
	ClearEnv bool

	// Stdin gives each incarnation what it reads. A reader that is a *os.File is
	// handed to the process as it is; any other is copied from until it or the
	// process ends, and one whose Read may block must be an io.Closer whose Close
	// ends that, or its goroutine is given up. It is closed when it is not needed any
	// more, unless it is os.Stdin. A Stdin that has not returned when the start's time is
	// over or a stop comes is given up. Nil: the null device. See Text.
	Stdin func() (io.Reader, error)

	// Files are open in the process from descriptor 3 on, or behind the Sockets.
	// They stay the caller's. Both together are 247 at most.
	Files []*os.File

	// Sockets are the first descriptors from 3 on, told to the process by LISTEN_FDS,
	// LISTEN_PID and LISTEN_FDNAMES, as sd_listen_fds(3) has it. They stay the
	// caller's, so connections wait in them while the process is restarted.
	Sockets []Socket

	// User and Group, by name or number, are whom the process runs as. User alone:
	// with all of the user's groups, and USER, LOGNAME and HOME set unless Env does or
	// ClearEnv is set. Group alone: without supplementary groups. A number that no
	// user has needs Group. Empty: whom this program runs as.
	User, Group string

	// Umask is the process's file mode creation mask. Nil: inherited.
	Umask *fs.FileMode

	// Nice is added to the nice value that is inherited. Less than 0 needs privileges.
	Nice int

	// OOMScoreAdj, -1000 to 1000, says how soon the process is killed when memory is
	// short. Nil: inherited.
	OOMScoreAdj *int

	// Limits are resource limits. Those that are not named are inherited.
	Limits map[Resource]Limit

	// Reload says how the process reads its configuration again; see the function
	// Reload. Nil: by SIGHUP.
	Reload *Reloading

	// TailLines is how many of its last lines of output are kept, for ExitError and
	// Tail, of 512 bytes each at most. 0: 10. Negative: none.
	TailLines int

	// Signal asks the process group to stop, and what has left the group when the
	// process has ended. 0: SIGTERM. See Stop for more than one.
	Signal syscall.Signal

	// Stop, if it is set, is what is done instead of Signal, step by step.
	Stop []StopStep

	// Grace, if it is shorter than the supervisor's own for the child,
	// Child.Shutdown, is how long after its beginning a stop ends by SIGKILL. 0: the
	// supervisor's alone; outside a tree DefaultGrace.
	Grace time.Duration

	// Ready tells when the process can serve. Nil: as soon as it was started.
	Ready Probe

	// ReadyInterval is the time between two tries of a probe that asks. 0: 100 ms.
	ReadyInterval time.Duration

	// ReadyTimeout is how long the process has to be ready. Then it is stopped, and
	// its start has failed: ErrNotReady. 0: bounded by Child.StartTimeout alone.
	ReadyTimeout time.Duration

	// Alive says how the process is checked while it is ready. Nil: not.
	Alive *Liveness

	// Watchdog is how often the process must say WATCHDOG=1 at its NOTIFY_SOCKET once
	// it is ready, as WATCHDOG_USEC tells it. One that does not is stopped, and that is
	// an abnormal end, ErrNotAlive. 0: it need not. The least is 1 ms.
	Watchdog time.Duration

	// NotifySocket gives the process a NOTIFY_SOCKET, for STATUS and the like, also
	// where Ready is not Notify and there is no Watchdog.
	NotifySocket bool

	// ExpectedCodes are exit codes that are read as normal, beside 0.
	ExpectedCodes []int

	// ExpectedSignals are signals an end by which is read as normal, once the
	// process was ready. Windows has none, so they are refused there.
	ExpectedSignals []syscall.Signal

	// Logger gets the lines of output at level info, with the child's path, the
	// stream and the pid. Nil: slog.Default(). A line at which it panics, or ends its
	// goroutine, is lost.
	Logger *slog.Logger

	// Stdout and Stderr, where not nil, get the stream as it is instead of the
	// Logger. A *os.File is handed to the process, which writes to it without this
	// program: there is no tail of it and no line for LogLine; struct{ io.Writer }{f}
	// is a writer like any other. These are written to by one goroutine each, and not
	// at the same time if they are the same. After an error or a panic, which is
	// logged, the rest of the stream is thrown away. For an Opener, such as a
	// *rotate.File, see there.
	Stdout, Stderr io.Writer

	// Overflow says what happens to output when the Logger or a writer is slow. The
	// default is Block.
	Overflow Overflow

	// OutputBuffer is how many bytes of each stream wait for it under Drop, 128 KiB to
	// 1 GiB. 0: 1 MiB. They are allocated when needed.
	OutputBuffer int
}

var (
	_ actor.Service   = (*Command)(nil)
	_ actor.Announcer = (*Command)(nil)
	_ actor.Killer    = (*Command)(nil)
	_ actor.Kinder    = (*Command)(nil)
	_ actor.Validator = (*Command)(nil)
)

// Kind returns "process".
func (c *Command) Kind() string { return "process" }

// AnnouncesReady returns true: Serve calls actor.Ready.
func (c *Command) AnnouncesReady() bool { return true }

// Killable returns true.
func (c *Command) Killable() bool { return true }

// Validate checks the fields. The error names the first that is wrong.
func (c *Command) Validate() error {
	switch {
	case c == nil:
		return errors.New("nil Command")
	case c.Path == "":
		return errors.New("Path: empty")
	case strings.ContainsRune(c.Path, 0):
		return errors.New("Path: contains a NUL byte")
	case strings.ContainsRune(c.Dir, 0):
		return errors.New("Dir: contains a NUL byte")
	case c.Signal < 0 || c.Signal > maxSignal:
		return fmt.Errorf("Signal: no such signal: %d", int(c.Signal))
	case c.Grace < 0:
		return fmt.Errorf("Grace: negative: %v", c.Grace)
	}
	for i, a := range c.Args {
		if strings.ContainsRune(a, 0) {
			return fmt.Errorf("Args[%d]: contains a NUL byte", i)
		}
	}
	for i, e := range c.Env {
		// The value may be a secret, and is not told.
		if key, _, ok := strings.Cut(e, "="); !ok || key == "" || strings.ContainsRune(e, 0) {
			return fmt.Errorf("Env[%d]: not KEY=value", i)
		}
	}
	for i, code := range c.ExpectedCodes {
		if code < 0 {
			return fmt.Errorf("ExpectedCodes[%d]: negative: %d", i, code)
		}
		if code > maxCode && runtime.GOOS != "windows" {
			return fmt.Errorf("ExpectedCodes[%d]: more than %d: %d", i, maxCode, code)
		}
	}
	if err := c.validateStop(); err != nil {
		return err
	}
	if err := c.validateSetup(); err != nil {
		return err
	}
	if err := c.validateNotify(); err != nil {
		return err
	}
	for i, s := range c.ExpectedSignals {
		if err := expectable(s); err != nil {
			return fmt.Errorf("ExpectedSignals[%d]: %w", i, err)
		}
	}
	if err := c.validateReady(); err != nil {
		return err
	}
	if err := c.validateOutput(); err != nil {
		return err
	}
	if c.Reload != nil {
		if err := c.Reload.validate(); err != nil {
			return fmt.Errorf("Reload: %w", err)
		}
	}
	if c.Alive != nil {
		if err := c.Alive.validate(); err != nil {
			return fmt.Errorf("Alive: %w", err)
		}
	}
	return nil
}

// environ tells also whether it is another than this program's own, in which nothing
// is twice.
func (c *Command) environ(a *account, own []string) (env []string, other bool) {
	env = []string{} // not nil, which would mean all
	n := 0
	if !c.ClearEnv {
		env = inherited()
		n = len(env)
		if a != nil {
			env = append(env, a.env...)
		}
		if c.Dir != "" && runtime.GOOS != "windows" {
			if dir, err := filepath.Abs(c.Dir); err == nil {
				env = append(env, "PWD="+dir)
			}
		}
	}
	env = append(append(append(env, c.Env...), c.socketEnv()...), own...)
	return env, c.ClearEnv || len(env) > n // the system may want some all the same
}

func (c *Command) logger() *slog.Logger {
	if c.Logger == nil {
		return slog.Default()
	}
	return c.Logger
}

// in makes a name relative to Dir.
func (c *Command) in(name string) string {
	if c.Dir == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(c.Dir, name)
}
