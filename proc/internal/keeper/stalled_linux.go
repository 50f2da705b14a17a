package keeper

import (
	"bytes"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A guardian that somebody has stopped is woken up. One that does not answer for all
// that is killed, so that nobody waits for it for ever; what it ran is started anew
// under another.
var (
	wakeUp     = syscall.SIGCONT
	stallLook  = 250 * time.Millisecond // between looks at it, while something is asked
	stallLooks = 16                     // so many without a sign of life, and it is killed
)

// stall is what the last looks at the guardian have shown. The lock of remote
// protects it.
type stall struct {
	timer *time.Timer // nil: nothing is asked
	last  sign
	quiet int // looks since there was another sign of life
}

// sign is one of life if it differs from the last.
type sign struct {
	heard int64  // messages
	spent string // CPU time
}

// expect has the guardian looked at while there are calls: many cost one timer.
// The lock is held.
func (r *remote) expect() {
	if r.stall.timer == nil {
		r.stall.quiet = 0
		r.stall.timer = time.AfterFunc(stallLook, r.look)
	}
}

// look counts, and does not go by the clock: when everything was frozen and goes
// on, that was one look.
func (r *remote) look() {
	spent, stopped := r.state()
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &r.stall
	if r.lost || len(r.calls) == 0 {
		s.timer = nil
		return
	}
	if now := (sign{r.heard.Load(), spent}); now != s.last {
		s.last, s.quiet = now, 0
	} else if stopped || r.isAsked() {
		s.quiet++
	}
	if s.quiet >= stallLooks {
		s.timer = nil
		go r.giveUp()
		return
	}
	s.timer.Reset(stallLook)
}

// isAsked tells whether there is a call other than a start, which may take long.
func (r *remote) isAsked() bool {
	for _, c := range r.calls {
		if !c.start {
			return true
		}
	}
	return false
}

func (r *remote) giveUp() {
	_ = r.guard.Kill()
	r.lose() // its end of a connection may stay open with a start that hangs
}

// state tells how much CPU time the guardian has spent, and whether it is stopped.
func (r *remote) state() (spent string, stopped bool) {
	b, err := readProc("/proc/" + strconv.Itoa(r.guard.Pid) + "/stat")
	if err != nil {
		return "", false
	}
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:])) // see readStat
	if len(f) < 13 {
		return "", false
	}
	return f[11] + " " + f[12], f[0] == "T" || f[0] == "t"
}

// keepAwake waits for the end of the guardian, in a thread. It notices at once when
// that is stopped.
func (r *remote) keepAwake() {
	defer close(r.asleep)
	for pause := time.Millisecond; ; pause = min(2*pause, stallLook) { // somebody may do it again and again
		var info unix.Siginfo
		err := unix.Waitid(unix.P_PID, r.guard.Pid, &info, unix.WEXITED|unix.WSTOPPED|unix.WNOWAIT, nil)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil || info.Code != cldStopped:
			return
		}
		_ = unix.Waitid(unix.P_PID, r.guard.Pid, nil, unix.WSTOPPED|unix.WNOHANG, nil)
		r.stops.Add(1)
		_ = r.guard.Signal(wakeUp)
		time.Sleep(pause)
	}
}

const cldStopped = 5

// end waits for the guardian to end, to which nobody is connected any more. It may
// have to kill what cannot be killed at the moment; if it is stopped, it does not
// even try.
func (r *remote) end() {
	waited := make(chan struct{})
	go func() {
		defer close(waited)
		_, _ = r.guard.Wait()
		<-r.asleep
	}()
	limit := time.NewTimer(closeWait)
	defer limit.Stop()
	stops := r.stops.Load()
	for range 2 {
		select {
		case <-waited:
			return
		case <-limit.C:
		}
		if _, stopped := r.state(); !stopped && r.stops.Load() <= stops+1 {
			return
		}
		_ = r.guard.Kill()
		limit.Reset(closeWait)
	}
}
