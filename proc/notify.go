package proc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/proc/internal/keeper"
	"github.com/coppice-go/coppice/proc/internal/notify"
)

// Notify is a Probe: the process says READY=1 at its NOTIFY_SOCKET, as sd_notify(3)
// has it. It is for readiness only, and on Linux; what else is heard there, and from
// whom, is in the documentation of the package.
type Notify struct{}

func (Notify) String() string  { return "Notify" }
func (Notify) validate() error { return nil }
func (Notify) notifies()       {}

// readyByNotify tells whether READY=1 makes the process ready.
func (c *Command) readyByNotify() bool {
	_, ok := c.Ready.(interface{ notifies() })
	return ok
}

// notifies tells whether the process gets a NOTIFY_SOCKET.
func (c *Command) notifies() bool {
	return c.readyByNotify() || c.Watchdog > 0 || c.NotifySocket || c.Reload != nil && c.Reload.Await
}

const (
	minWatchdog = time.Millisecond
	maxQueue    = 4096                  // messages that are read without a pause when the process is gone
	extendPause = 10 * time.Millisecond // between two extensions, or they would flood the supervisor
	strangeTime = 10 * time.Millisecond // after a stranger nobody new is looked up
	maxFriends  = 64
)

func (c *Command) validateNotify() error {
	switch {
	case c.Watchdog < 0:
		return fmt.Errorf("Watchdog: negative: %v", c.Watchdog)
	case c.Watchdog > 0 && c.Watchdog < minWatchdog:
		return fmt.Errorf("Watchdog: less than %v: %v", minWatchdog, c.Watchdog)
	case c.notifies() && keeper.Resources == nil:
		return fmt.Errorf("Ready: Notify, Watchdog, NotifySocket, Reload: Await: on this system: %w", errors.ErrUnsupported)
	}
	return nil
}

// inherited is the environment of this program without what a service manager has
// said to it alone: a child would speak in its name, and take its sockets.
func inherited() []string {
	return slices.DeleteFunc(os.Environ(), func(e string) bool {
		key, _, _ := strings.Cut(e, "=")
		switch key {
		case "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDNAMES", "FDSTORE":
			return true
		}
		return false
	})
}

// notices hears what a process says at its NOTIFY_SOCKET. A nil one is that of a
// process that has none.
type notices struct {
	p      *process
	ctx    context.Context // of Serve
	socket *notify.Socket
	uid    uint32             // whose process it is
	asked  chan chan struct{} // by catchUp
	ending atomic.Bool
	done   chan struct{} // closed when nothing more is read
	dog    *time.Timer   // until overdue is to be asked

	// Of the goroutine that reads.
	friends  map[notify.Sender]bool // of other users, and known to descend from the process
	refused  time.Time
	extended time.Time
	warned   map[string]bool

	mu        sync.Mutex
	over      bool
	armed     bool          // ready: the watchdog is on
	every     time.Duration // of the watchdog; 0: none
	due       time.Time     // of dog; zero: it is not running
	triggered bool
	stopping  bool
	reloading bool
	status    string
	errno     syscall.Errno
	reloads   []*reload
}

// openNotices opens the socket of an incarnation, if it is to have one.
func (p *process) openNotices() error {
	c := p.cmd
	if !c.notifies() {
		return nil
	}
	socket, err := notify.Listen()
	if err != nil {
		return fmt.Errorf("notify socket: %w", err)
	}
	n := &notices{
		p: p, socket: socket, uid: uint32(os.Geteuid()), every: c.Watchdog, asked: make(chan chan struct{}, 1), done: make(chan struct{}),
		dog: time.NewTimer(time.Hour), friends: make(map[notify.Sender]bool), warned: make(map[string]bool),
	}
	n.dog.Stop()
	p.notices = n
	return nil
}

// env is what the process is told. WATCHDOG_PID is left out: who speaks may as well
// be a child of the process.
func (n *notices) env() []string {
	if n == nil {
		return nil
	}
	env := []string{"NOTIFY_SOCKET=" + n.socket.Name}
	if n.every > 0 {
		env = append(env, "WATCHDOG_USEC="+strconv.FormatInt(n.every.Microseconds(), 10))
	}
	return env
}

// of says as whom the process runs.
func (n *notices) of(s *keeper.Setup) {
	if n != nil && s != nil && s.Credential != nil {
		n.uid = s.Credential.UID
	}
}

// abandon is for a process that could not be started.
func (n *notices) abandon() {
	if n != nil {
		n.socket.Close()
	}
}

// listen begins to hear.
func (n *notices) listen(ctx context.Context) {
	if n != nil {
		n.ctx = ctx
		go n.read()
	}
}

func (n *notices) read() {
	defer close(n.done)
	defer n.socket.Close()
	for {
		err := n.socket.Receive(true, n.hear)
		if errors.Is(err, os.ErrDeadlineExceeded) { // somebody wants to know that all was read
			n.socket.Deadline(time.Time{})
			ending := n.ending.Load() // only now: a deadline that is set later is noticed
			for i := 0; i < maxQueue && err != notify.ErrNone; i++ {
				err = n.socket.Receive(false, n.hear)
			}
			select {
			case caughtUp := <-n.asked:
				close(caughtUp)
			default:
			}
			if ending {
				return
			}
		} else if err != nil {
			n.p.warn("notify socket not read", slog.Any("error", err))
			return
		}
	}
}

// catchUp waits until what was said before is heard.
func (n *notices) catchUp() {
	caughtUp := make(chan struct{})
	select {
	case n.asked <- caughtUp:
	default: // the last one was not heard, either
		return
	}
	n.socket.Deadline(time.Unix(1, 0))
	wait(writerWait, caughtUp, n.done)
}

// close has listening end when everything is heard that was said.
func (n *notices) close() {
	if n != nil {
		n.ending.Store(true)
		n.socket.Deadline(time.Unix(1, 0))
	}
}

// end waits for that.
func (n *notices) end(until time.Time) {
	if n == nil {
		return
	}
	if !wait(time.Until(until), n.done, nil) { // the close of a descriptor that was sent along may block
		n.p.warn("notify socket given up")
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.over = true
	n.expect(0)
}

// wait is false if neither was closed in time.
func wait(limit time.Duration, a, b <-chan struct{}) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-a:
	case <-b:
	case <-timer.C:
		select {
		case <-a: // at the same moment, or long before
		case <-b:
		default:
			return false
		}
	}
	return true
}

// hear takes one datagram. Descriptors that came with it are closed afterwards.
func (n *notices) hear(text string, whole bool, from notify.Sender) {
	switch {
	case !n.trusts(from):
		n.warnOnce("notify message refused: its sender is no process of the child's", slog.Int("sender", int(from.PID)), slog.Int("uid", int(from.UID)))
	case !whole:
		n.warnOnce("notify message refused: too long")
	default:
		n.take(notify.Parse(text))
	}
}

// trusts is true for who could do anything to the process anyway: root, this
// program's user and the process's own. Anybody else has to descend from it.
func (n *notices) trusts(from notify.Sender) bool {
	if from.UID == 0 || from.UID == n.uid || from.UID == uint32(os.Geteuid()) || n.friends[from] {
		return true
	}
	if time.Since(n.refused) < strangeTime {
		return false
	}
	if from.PID <= 0 || !n.p.child.Has(int(from.PID)) {
		n.refused = time.Now()
		return false
	}
	if len(n.friends) >= maxFriends {
		clear(n.friends)
	}
	n.friends[from] = true
	return true
}

func (n *notices) warnOnce(text string, attrs ...slog.Attr) {
	if !n.warned[text] {
		n.warned[text] = true
		n.p.warn(text, attrs...)
	}
}

// take acts on a message.
func (n *notices) take(m notify.Message) {
	if m.MainPID != "" && m.MainPID != strconv.Itoa(n.p.pid) {
		n.warnOnce("MAINPID is not honoured: the child is the process that was started", slog.String("mainpid", m.MainPID))
	}
	ready := m.Ready && n.p.cmd.readyByNotify()
	n.note(m, ready) // first: who sees that it is ready sees what it said with that
	if ready {
		n.p.becomeReady()
	}
	if m.Extend > 0 && !n.ending.Load() {
		time.Sleep(extendPause - time.Since(n.extended))
		n.extended = time.Now()
		n.p.limits.extend(m.Extend)
		actor.ExtendTimeout(n.ctx, m.Extend)
	}
}

func (n *notices) note(m notify.Message, ready bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.over {
		return
	}
	before := n.text()
	if m.Status != nil {
		n.status = *m.Status
	}
	if m.Errno != 0 {
		n.errno = m.Errno
	}
	n.noteReload(m)
	n.noteWatchdog(m, ready)
	if text := n.text(); text != before {
		actor.SetStatus(n.ctx, actor.Status{PID: n.p.pid, Text: text, LastLines: n.p.tail.all})
	}
}

// text is what a snapshot shows. The lock is held.
func (n *notices) text() string {
	doing := ""
	switch {
	case n.stopping:
		doing = "stopping"
	case n.reloading:
		doing = "reloading"
	case n.status != "":
		return n.status
	}
	if doing != "" && n.status != "" {
		return doing + ": " + n.status
	}
	return doing
}

// last is what the process has said of itself last.
func (n *notices) last() (status string, errno syscall.Errno) {
	if n == nil {
		return "", 0
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.status, n.errno
}

// complaint is the same as an error; nil if it has said nothing.
func (n *notices) complaint() error {
	return told(n.last())
}

// told joins what a process has said of its failure; nil: nothing.
func told(status string, errno syscall.Errno) error {
	switch {
	case errno != 0 && status != "":
		return fmt.Errorf("%s: %w", status, errno)
	case errno != 0:
		return errno
	case status != "":
		return errors.New(status)
	}
	return nil
}
