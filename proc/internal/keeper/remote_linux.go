package keeper

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// remote is the guardian as the program sees it.
type remote struct {
	main   *socket // all but starts
	starts *socket
	guard  *os.Process
	reads  sync.WaitGroup
	heard  atomic.Int64  // messages from it
	stops  atomic.Int64  // how often it was stopped
	blind  bool          // see kids.blind
	place  place         // where it is
	asleep chan struct{} // closed when it has ended

	mu      sync.Mutex
	lost    bool
	lastID  uint64
	calls   map[uint64]call
	stall   stall
	running map[uint64]*running
	forgot  []uint64    // not yet said
	timer   *time.Timer // to say it; nil: nothing to say
}

// call is a question that is not answered.
type call struct {
	answer chan answer
	start  bool
}

type answer struct {
	n    int
	err  error
	pids []int
}

// running is a process from its start until it is forgotten.
type running struct {
	pid   int // 0: being started
	over  bool
	left  bool // over, and something that it started may be alive
	ended func(End)
}

var (
	helloWait = 10 * time.Second // for the guardian to be ready
	startWait = 4 * time.Second  // for a start when the caller's context has ended
)

const (
	closeWait = time.Second // for it to have ended
	closeLook = 20 * time.Millisecond

	// forgetWait is how long it takes until the guardian is told to forget a
	// process: not in the middle of a restart.
	forgetWait = 2 * time.Millisecond
)

// wakeUpLast is for a guardian that is stopped when the program ends.
const wakeUpLast = syscall.SIGCONT

// self is this program, even if its file was replaced or removed.
var self = "/proc/self/exe"

// startGuardian starts this program once more, as the guardian.
func startGuardian(ctx context.Context) (*remote, error) {
	main, err := newSocket()
	if err != nil {
		return nil, err
	}
	starts, err := newSocket()
	if err != nil {
		main.close()
		return nil, err
	}
	r := &remote{main: main, starts: starts, calls: make(map[uint64]call), running: make(map[uint64]*running), asleep: make(chan struct{})}
	if err = r.launch(ctx); err != nil {
		main.close()
		starts.close()
		return nil, err
	}
	go r.keepAwake()
	r.reads.Go(func() { r.read(main) })
	r.reads.Go(func() { r.read(starts) })
	return r, nil
}

func (r *remote) launch(ctx context.Context) error {
	in, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer out.Close()
	err = relax(func(slack int) (err error) {
		r.guard, err = os.StartProcess(self, []string{guardianName, strconv.Itoa(slack)}, &os.ProcAttr{
			Env: os.Environ(), Files: []*os.File{in, out, out, r.main.theirs, r.starts.theirs},
			Sys: &syscall.SysProcAttr{Setsid: true, Pdeathsig: wakeUpLast},
		})
		return err
	})
	if err != nil {
		return err
	}
	r.main.theirs.Close() // or its end would not be noticed
	r.starts.theirs.Close()
	_ = r.main.file.SetReadDeadline(time.Now().Add(helloWait))
	heed := context.AfterFunc(ctx, func() { _ = r.main.file.SetReadDeadline(time.Unix(1, 0)) })
	k, m, err := r.main.receive(newReceiver())
	switch {
	case err != nil:
	case k != msgHello:
		err = errMessage
	default:
		r.blind, r.place = m.readUint() != 0, m.readPlace()
	}
	if !heed() {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = r.guard.Kill()
		_, _ = r.guard.Wait()
		return fmt.Errorf("the guardian does not answer: %w", err)
	}
	return r.main.file.SetReadDeadline(time.Time{})
}

// read hands out what the guardian says, until it is gone.
func (r *remote) read(from *socket) {
	rc := newReceiver()
	for {
		k, m, err := from.receive(rc)
		if err != nil {
			r.lose()
			return
		}
		m.closeFiles()
		r.heard.Add(1)
		switch k {
		case msgAnswer:
			call, err := m.readUint(), numbered(m.readUint())
			n := int(m.readUint())
			a := answer{n: n, err: m.readFault(err)}
			for err == nil && len(m.b) > 0 {
				a.pids = append(a.pids, m.readInt())
			}
			r.answer(call, a)
		case msgEnded:
			r.ended(m.readUint(), m.readEnd())
		}
	}
}

func (r *remote) answer(call uint64, a answer) {
	r.mu.Lock()
	c, ok := r.calls[call]
	delete(r.calls, call)
	r.mu.Unlock()
	if ok {
		c.answer <- a
	}
}

func (r *remote) ended(id uint64, e End) {
	r.mu.Lock()
	p := r.running[id]
	if p != nil {
		p.over, p.left = true, e.Left
	}
	r.mu.Unlock()
	if p != nil {
		p.ended(e)
	}
}

// lose ends everything that is not answered and has not ended. The processes
// died with their parent, and what they started is killed as far as it stayed in
// the group.
func (r *remote) lose() {
	r.mu.Lock()
	r.lost = true
	calls, all := r.calls, r.running
	r.calls, r.running = nil, nil
	var ended []func(End)
	for _, p := range all {
		if p.pid != 0 && (!p.over || p.left) {
			_ = syscall.Kill(-p.pid, syscall.SIGKILL)
		}
		if !p.over {
			ended = append(ended, p.ended)
		}
	}
	r.mu.Unlock()
	for _, c := range calls {
		c.answer <- answer{err: ErrLost}
	}
	for _, tell := range ended {
		tell(End{Code: -1, Err: ErrLost})
	}
}

// call asks, and waits for the answer.
func (r *remote) call(k kind, id uint64, fields ...uint64) answer {
	return <-r.ask(r.main, k, id, func(m *message) {
		for _, f := range fields {
			m.uint(f)
		}
	})
}

// ask returns where the answer will come. write adds to the message behind id and
// call.
func (r *remote) ask(through *socket, k kind, id uint64, write func(*message)) <-chan answer {
	c := make(chan answer, 1)
	r.mu.Lock()
	if r.lost {
		r.mu.Unlock()
		c <- answer{err: ErrLost}
		return c
	}
	r.lastID++
	n := r.lastID
	r.calls[n] = call{c, through == r.starts}
	r.expect()
	r.mu.Unlock()
	m := newMessage(k, id, n)
	write(m)
	if err := through.send(m); err != nil {
		r.answer(n, answer{err: err})
	}
	return c
}

func (r *remote) start(ctx context.Context, id uint64, s Spec, ended func(End)) (int, error) {
	if len(s.Files) > maxFiles {
		return 0, fmt.Errorf("more than %d files", maxFiles)
	}
	dir, err := r.openDir(s.Dir)
	if err != nil {
		return 0, err
	}
	if dir >= 0 {
		defer unix.Close(dir)
	}
	p := &running{ended: ended}
	r.mu.Lock()
	if r.lost {
		r.mu.Unlock()
		return 0, ErrLost
	}
	r.running[id] = p
	r.mu.Unlock()
	c := r.ask(r.starts, msgStart, id, func(m *message) {
		hasFirst := len(s.Files) == 0 || s.Files[0] != nil
		m.uint(flag(dir >= 0))
		m.uint(flag(hasFirst))
		m.spec(s)
		if dir >= 0 {
			m.files = append(m.files, dir)
		}
		files := s.Files
		if !hasFirst {
			files = files[1:]
		}
		for _, f := range files {
			m.files = append(m.files, int(f.Fd()))
		}
	})
	runtime.KeepAlive(s.Files)
	select {
	case a := <-c:
		return r.started(id, p, a)
	case <-ctx.Done():
	}
	timer := time.NewTimer(startWait)
	defer timer.Stop()
	select {
	case a := <-c:
		return r.started(id, p, a)
	case <-timer.C:
		go r.abandon(id, p, c)
		return 0, ErrHangs
	}
}

// openDir is -1 where the guardian is, too.
func (r *remote) openDir(name string) (int, error) {
	if name == "" && r.place != (place{}) && here() == r.place {
		return -1, nil
	}
	dir, err := openDir(name)
	if name == "" && errors.Is(err, os.ErrPermission) {
		return -1, nil
	}
	return dir, err
}

func (r *remote) started(id uint64, p *running, a answer) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a.err != nil {
		delete(r.running, id)
		return 0, a.err
	}
	if p.pid = a.n; r.lost {
		_ = syscall.Kill(-p.pid, syscall.SIGKILL)
	}
	return p.pid, nil
}

// abandon kills a process that starts when nobody wants it any more.
func (r *remote) abandon(id uint64, p *running, c <-chan answer) {
	if _, err := r.started(id, p, <-c); err != nil {
		return
	}
	defer r.forget(id)
	for {
		_ = r.signal(id, syscall.SIGKILL, All)
		if n, err := r.left(id); n == 0 || err != nil {
			return
		}
		time.Sleep(closeLook)
	}
}

func (r *remote) signal(id uint64, sig syscall.Signal, to Scope) error {
	return r.call(msgSignal, id, uint64(sig), uint64(to)).err
}

func (r *remote) left(id uint64) (int, error) {
	a := r.call(msgLeft, id)
	return a.n, a.err
}

func (r *remote) members(id uint64) ([]int, error) {
	a := r.call(msgMembers, id)
	return a.pids, a.err
}

func (r *remote) forget(id uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.running, id)
	if r.forgot = append(r.forgot, id); r.timer == nil {
		r.timer = time.AfterFunc(forgetWait, r.sayForgot)
	}
}

func (r *remote) sayForgot() {
	r.mu.Lock()
	ids := r.forgot
	r.forgot, r.timer = nil, nil
	r.mu.Unlock()
	for ids := range slices.Chunk(ids, maxForget) {
		_ = r.main.send(newMessage(msgForget, ids...))
	}
}

func (r *remote) broken() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lost
}

// close ends the guardian, and with it whatever should still be alive.
func (r *remote) close() {
	r.main.close()
	r.starts.close()
	r.reads.Wait()
	r.mu.Lock()
	for _, timer := range []*time.Timer{r.timer, r.stall.timer} {
		if timer != nil {
			timer.Stop()
		}
	}
	r.mu.Unlock()
	r.end()
}
