package treetest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/tree"
)

// Match is a kind of event to wait for.
type Match struct {
	text        string
	ok          func(tree.Event) bool
	incarnation int
}

// When matches what ok says; text is for the failure.
func When(text string, ok func(tree.Event) bool) Match { return Match{text: text, ok: ok} }

func kind(text string, k tree.EventKind, path string) Match {
	return When(text+" "+path, func(e tree.Event) bool { return e.Kind == k && e.Path == path })
}

// Started matches an incarnation of the child at path that is ready.
func Started(path string) Match { return kind("start of", tree.ChildStarted, path) }

// Ended matches an end of the child at path, of whatever class.
func Ended(path string) Match { return kind("end of", tree.ChildEnded, path) }

// Failed matches an abnormal end of the child at path, or a start of it that
// failed, for a reason that matches target; a nil target matches any.
func Failed(path string, target error) Match {
	text := "failure of " + path
	if target != nil {
		text += fmt.Sprintf(" (%v)", target)
	}
	return When(text, func(e tree.Event) bool {
		failed := e.Kind == tree.StartFailed || e.Kind == tree.ChildEnded && e.Class == actor.ClassAbnormal
		return failed && e.Path == path && (target == nil || errors.Is(e.Err, target))
	})
}

// Planned matches the decision to restart the child at path.
func Planned(path string) Match { return kind("planned restart of", tree.RestartPlanned, path) }

// GaveUp matches the decision that the child at path is not restarted any more.
func GaveUp(path string) Match { return kind("giving up on", tree.GaveUp, path) }

// Stuck matches a child at path that did not end within its grace.
func Stuck(path string) Match { return kind("stuck", tree.ChildStuck, path) }

// Incarnation narrows a match to the n-th.
func (m Match) Incarnation(n int) Match {
	m.incarnation = n
	m.text += fmt.Sprintf(" #%d", n)
	return m
}

func (m Match) matches(e tree.Event) bool {
	return m.ok(e) && (m.incarnation == 0 || m.incarnation == e.Incarnation)
}

// Wait returns the first event that matches, of those that the last Wait did not
// pass and of those to come. If there is none within that time, or the tree has
// ended without it, the test ends with what happened instead.
func (tt *Tree) Wait(m Match, within time.Duration) tree.Event {
	tt.t.Helper()
	timer := time.NewTimer(within)
	defer timer.Stop()
	from, next := -1, 0
	for {
		ended := tt.ended()
		tt.mu.Lock()
		if from < 0 {
			from, next = tt.waited, tt.waited
		}
		for ; next < len(tt.events); next++ {
			if e := tt.events[next]; m.matches(e) {
				tt.waited = next + 1
				tt.mu.Unlock()
				return e
			}
		}
		news := tt.news
		tt.mu.Unlock()
		if ended {
			tt.fatal(from, "%s has ended without %s", tt.root, m.text)
		}
		select {
		case <-news:
		case <-tt.Done():
		case <-timer.C:
			tt.fatal(from, "no %s within %v", m.text, within)
		}
	}
}

func (tt *Tree) ended() bool {
	select {
	case <-tt.Done():
		return true
	default:
		return false
	}
}

// fatal tells the events from that one on, and how the tree is now.
func (tt *Tree) fatal(from int, format string, args ...any) {
	tt.t.Helper()
	tt.mu.Lock()
	list := append([]tree.Event(nil), tt.events[from:]...)
	tt.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "treetest: "+format, args...)
	fmt.Fprintf(&b, "\nwhat happened:\n%s", told(list))
	if n, err := tt.Snapshot(tt.t.Context()); err == nil {
		fmt.Fprintf(&b, "the tree:\n%s", n)
	}
	tt.t.Fatal(b.String())
}

// told is a line for each event.
func told(list []tree.Event) string {
	if len(list) == 0 {
		return "  nothing\n"
	}
	var b strings.Builder
	for _, e := range list {
		fmt.Fprintf(&b, "  %s %s", path(e), e.Kind)
		if e.Kind == tree.ChildEnded {
			fmt.Fprintf(&b, ", %v", e.Class)
		}
		if e.Delay > 0 {
			fmt.Fprintf(&b, ", in %v", e.Delay)
		}
		if e.Err != nil {
			fmt.Fprintf(&b, ": %v", e.Err)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
