package tree

import (
	"bytes"
	"fmt"
	"runtime/pprof"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Report tells how a tree stopped.
type Report struct {
	Took  time.Duration // from the request; 0 if nobody asked
	Stuck []StuckChild  // what has not ended, by path; empty if all has
}

// StuckChild is an incarnation that was asked to stop, used up its grace, and is
// alive.
type StuckChild struct {
	Path        string
	Incarnation int
	Since       time.Time // when it was given up
	Stack       string    // of its goroutines, as in a goroutine profile
}

// Err is nil if everything has ended; else it names what has not and matches
// ErrStuck.
func (r Report) Err() error {
	if len(r.Stuck) == 0 {
		return nil
	}
	names := make([]string, len(r.Stuck))
	for i, s := range r.Stuck {
		names[i] = fmt.Sprintf("%s (incarnation %d)", s.Path, s.Incarnation)
	}
	return fmt.Errorf("%w: %s", ErrStuck, strings.Join(names, ", "))
}

// String is the report for people, stacks included.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "stopped in %v", r.Took.Round(time.Millisecond))
	for _, s := range r.Stuck {
		fmt.Fprintf(&b, "\nstill running: %s, incarnation %d\n%s", s.Path, s.Incarnation, s.Stack)
	}
	return b.String()
}

// Report returns what Stop returned. ok is false while the tree has not ended.
func (t *Tree) Report() (r Report, ok bool) {
	select {
	case <-t.ended:
		return t.report, true
	default:
		return Report{}, false
	}
}

// makeReport runs when the root has ended.
func (t *Tree) makeReport() Report {
	var r Report
	if began := t.began.Load(); began != nil {
		r.Took = time.Since(*began)
	}
	left := t.stuck.all()
	if len(left) == 0 {
		return r
	}
	profile := goroutines()
	for _, s := range left {
		s.Stack = profile.of(s.Path, s.Incarnation)
		r.Stuck = append(r.Stuck, s)
	}
	sort.Slice(r.Stuck, func(i, j int) bool {
		a, b := r.Stuck[i], r.Stuck[j]
		return a.Path < b.Path || a.Path == b.Path && a.Incarnation < b.Incarnation
	})
	return r
}

// lastWait is how long the end of a tree waits for what it has given up: a child
// that was stopped without a grace may need a moment to return.
const lastWait = 200 * time.Millisecond

// exitStuck ends the program for StuckExit, even if the logger does not let go.
func (t *Tree) exitStuck(path string, gen int) {
	logged := make(chan struct{})
	go func() {
		defer close(logged)
		t.deliver("log", func(Event) {
			t.log.Error("child stuck, ending the program", "path", path, "incarnation", gen,
				"stack", goroutines().of(path, gen))
		}, Event{})
	}()
	select {
	case <-logged:
	case <-time.After(drainWait):
	}
	t.runner.exit(ExitStuck)
}

// stuckList keeps the incarnations that were given up while alive.
type stuckList struct {
	mu    sync.Mutex
	since map[*incarnation]time.Time
	held  map[string]int // paths under StuckHold
	hold  map[*incarnation]bool
	told  map[*incarnation]bool
	empty chan struct{} // closed by the removal of the last, if somebody waits
}

// wait waits for the list to be empty, but no longer than d.
func (l *stuckList) wait(d time.Duration) {
	l.mu.Lock()
	if len(l.since) == 0 {
		l.mu.Unlock()
		return
	}
	l.empty = make(chan struct{})
	empty := l.empty
	l.mu.Unlock()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-empty:
	case <-timer.C:
	}
}

// add lists i, and returns false if it has ended meanwhile. told is whether an event
// says that it is stuck.
func (l *stuckList) add(i *incarnation, hold, told bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i.over.Load() {
		return false
	}
	if l.since == nil {
		l.since, l.held = map[*incarnation]time.Time{}, map[string]int{}
		l.hold, l.told = map[*incarnation]bool{}, map[*incarnation]bool{}
	}
	l.since[i] = time.Now()
	if told {
		l.told[i] = true
	}
	if hold {
		l.hold[i] = true
		l.held[i.Path()]++
	}
	return true
}

// remove is called by every incarnation at its end, after over is set. If i was
// told to be stuck, it calls tell before anybody can miss i in the list.
func (l *stuckList) remove(i *incarnation, tell func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.since[i]; !ok {
		return
	}
	if l.told[i] {
		tell()
	}
	delete(l.told, i)
	delete(l.since, i)
	if len(l.since) == 0 && l.empty != nil {
		close(l.empty)
		l.empty = nil
	}
	if l.hold[i] {
		delete(l.hold, i)
		if l.held[i.Path()]--; l.held[i.Path()] == 0 {
			delete(l.held, i.Path())
		}
	}
}

func (l *stuckList) holds(path string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held[path] > 0
}

func (l *stuckList) all() []StuckChild {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []StuckChild
	for i, since := range l.since {
		list = append(list, StuckChild{Path: i.Path(), Incarnation: i.gen, Since: since})
	}
	return list
}

// goroutineProfile is the text of a goroutine profile, a record for each stack.
type goroutineProfile []string

func goroutines() goroutineProfile {
	var b bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&b, 1); err != nil {
		return nil
	}
	return strings.Split(b.String(), "\n\n")
}

// of returns the records of the goroutines that run under the labels of the
// incarnation, the child's own and those it started.
func (p goroutineProfile) of(path string, gen int) string {
	label := strconv.Quote(LabelPath) + ":" + strconv.Quote(path)
	number := strconv.Quote(LabelIncarnation) + ":" + strconv.Quote(strconv.Itoa(gen))
	var b strings.Builder
	for _, record := range p {
		if strings.Contains(record, label) && strings.Contains(record, number) {
			b.WriteString(strings.TrimSpace(record))
			b.WriteByte('\n')
		}
	}
	return b.String()
}
