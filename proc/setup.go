package proc

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/coppice-go/coppice/proc/internal/keeper"
)

// Resource is one whose use a Limit bounds; setrlimit(2) tells what each means.
type Resource string

// The resources, by the names of limits.conf(5) and prlimit(1).
const (
	AddressSpace     Resource = "as"         // bytes
	CoreSize         Resource = "core"       // bytes
	CPUTime          Resource = "cpu"        // seconds
	DataSize         Resource = "data"       // bytes
	FileSize         Resource = "fsize"      // bytes
	LockedMemory     Resource = "memlock"    // bytes
	MessageQueues    Resource = "msgqueue"   // bytes
	NiceCeiling      Resource = "nice"       // 20 minus the nice value
	OpenFiles        Resource = "nofile"     // one more than the highest descriptor
	Processes        Resource = "nproc"      // of the user, threads included
	RealtimePriority Resource = "rtprio"     // the highest
	RealtimeTime     Resource = "rttime"     // microseconds
	PendingSignals   Resource = "sigpending" // of the user
	StackSize        Resource = "stack"      // bytes
)

// Unlimited is no limit.
const Unlimited = ^uint64(0)

// Limit is a resource limit. The zero value allows nothing.
type Limit struct{ Soft, Hard uint64 }

// Socket is a listening socket that a process is handed. *net.TCPListener,
// *net.UnixListener, *net.UDPConn and *net.UnixConn have such a File method. It
// stays the caller's and open, so that connections wait in it while the process is
// restarted. It is made blocking, which programs expect, so an Accept of the
// caller's own would heed neither a deadline nor Close.
type Socket struct {
	Name string // in LISTEN_FDNAMES; empty: "unknown"

	// Its File is called at each start. If it has not returned when the start's time is over
	// or a stop comes, it is given up.
	Source interface{ File() (*os.File, error) }
}

// niceRange and oomRange are what the system knows.
const (
	niceRange = 40
	oomRange  = 1000
	modeMask  = 0o777
	maxFiles  = 247 // that fit in one packet to the guardian, with stdin, stdout and stderr
)

// needsSetup tells whether the process has something to do to itself before it
// is executed.
func (c *Command) needsSetup() bool {
	return c.Umask != nil || c.Nice != 0 || c.OOMScoreAdj != nil || len(c.Limits) > 0 || c.User != "" || c.Group != "" || len(c.Sockets) > 0
}

func (c *Command) validateSetup() error {
	if c.needsSetup() && keeper.Resources == nil {
		return fmt.Errorf("Umask, Nice, OOMScoreAdj, Limits, User, Group, Sockets: on this system: %w", errors.ErrUnsupported)
	}
	switch {
	case c.Umask != nil && *c.Umask&^modeMask != 0:
		return fmt.Errorf("Umask: not 0 to 0777: %#o", *c.Umask)
	case c.Nice < -niceRange || c.Nice > niceRange:
		return fmt.Errorf("Nice: not -40 to 40: %d", c.Nice)
	case c.OOMScoreAdj != nil && (*c.OOMScoreAdj < -oomRange || *c.OOMScoreAdj > oomRange):
		return fmt.Errorf("OOMScoreAdj: not -1000 to 1000: %d", *c.OOMScoreAdj)
	}
	for r, l := range c.Limits {
		if _, ok := keeper.Resources[string(r)]; !ok {
			return fmt.Errorf("Limits: no such resource: %q", string(r))
		}
		if l.Soft > l.Hard {
			return fmt.Errorf("Limits: %s: soft limit %d above hard limit %d", r, l.Soft, l.Hard)
		}
	}
	if n := len(c.Files) + len(c.Sockets); n > maxFiles {
		return fmt.Errorf("Files: more than %d with the Sockets: %d", maxFiles, n)
	}
	for i, f := range c.Files {
		if f == nil {
			return fmt.Errorf("Files[%d]: nil", i)
		}
	}
	for i, s := range c.Sockets {
		if s.Source == nil {
			return fmt.Errorf("Sockets[%d]: Source: nil", i)
		}
		if strings.ContainsAny(s.Name, ":\x00\n") {
			return fmt.Errorf("Sockets[%d]: Name: contains a colon, NUL or newline: %q", i, s.Name)
		}
	}
	_, err := c.account()
	return err
}

// setup is what the process does to itself; nil: nothing.
func (c *Command) setup(a *account) *keeper.Setup {
	if !c.needsSetup() {
		return nil
	}
	s := &keeper.Setup{Umask: -1, Nice: c.Nice, OOMScoreAdj: c.OOMScoreAdj}
	if c.Umask != nil {
		s.Umask = int(*c.Umask)
	}
	for r, l := range c.Limits {
		s.Limits = append(s.Limits, keeper.Rlimit{Name: string(r), Resource: keeper.Resources[string(r)], Soft: l.Soft, Hard: l.Hard})
	}
	// Memory last: what is done after it may need some.
	slices.SortFunc(s.Limits, func(a, b keeper.Rlimit) int { return rank(a) - rank(b) })
	if a != nil {
		s.Credential = &a.Credential
	}
	if len(c.Sockets) > 0 {
		s.PIDEnv = []string{"LISTEN_PID"}
	}
	return s
}

func rank(l keeper.Rlimit) int {
	switch Resource(l.Name) {
	case AddressSpace, DataSize:
		return 1
	}
	return 0
}

// openSocket calls user code.
func (a *attempt) openSocket(s Socket) error {
	f, err := s.Source.File()
	if err == nil && f == nil {
		err = errors.New("no file")
	}
	if err != nil {
		return err
	}
	a.sockets = append(a.sockets, f)
	a.files = append(a.files, f)
	return nil
}

// socketEnv is what the process is told of its sockets, in the way of systemd. The
// pid is added by who knows it.
func (c *Command) socketEnv() []string {
	if len(c.Sockets) == 0 {
		return nil
	}
	names := make([]string, len(c.Sockets))
	for i, s := range c.Sockets {
		if names[i] = s.Name; s.Name == "" {
			names[i] = "unknown"
		}
	}
	return []string{fmt.Sprintf("LISTEN_FDS=%d", len(names)), "LISTEN_FDNAMES=" + strings.Join(names, ":")}
}
