package treetest

import (
	"fmt"
	"strings"

	"github.com/coppice-go/coppice/tree"
)

var signs = map[tree.EventKind]string{
	tree.ChildStarted: "+", tree.ChildEnded: "-", tree.StartFailed: "!", tree.ChildIgnored: "~", tree.ChildStuck: "?",
}

// Life tells who came and went since the last call, in order, by path below the
// root, with the number of the incarnation from the second on:
//
//	+db    started    +db2   its second incarnation
//	-db    ended      !db    did not start
//	~db    ignored    ?db    stuck
func (tt *Tree) Life() string {
	tt.catchUp()
	tt.mu.Lock()
	defer tt.mu.Unlock()
	var words []string
	for _, e := range tt.events[tt.lived:] {
		sign, ok := signs[e.Kind]
		if !ok {
			continue
		}
		word := sign + strings.TrimPrefix(e.Path, tt.root+"/")
		if e.Incarnation > 1 {
			word += fmt.Sprint(e.Incarnation)
		}
		words = append(words, word)
	}
	tt.lived = len(tt.events)
	return strings.Join(words, " ")
}

// RequireLife ends the test if Life is not want.
func (tt *Tree) RequireLife(want string) {
	tt.t.Helper()
	if got := tt.Life(); got != want {
		tt.t.Fatalf("treetest: who came and went:\n  %s\nis not what was expected:\n  %s", got, want)
	}
}

// RequireOrder ends the test if the events so far do not contain one for each
// match, in this order.
func (tt *Tree) RequireOrder(matches ...Match) {
	tt.t.Helper()
	events := tt.Events()
	next := 0
	for i, m := range matches {
		for ; next < len(events) && !m.matches(events[next]); next++ {
		}
		if next == len(events) {
			after := ""
			if i > 0 {
				after = " after " + matches[i-1].text
			}
			tt.fatal(0, "no %s%s", m.text, after)
		}
		next++
	}
}

// RequireNone ends the test if an event so far matches.
func (tt *Tree) RequireNone(m Match) {
	tt.t.Helper()
	for i, e := range tt.Events() {
		if m.matches(e) {
			tt.fatal(i, "%s was not expected", m.text)
		}
	}
}
