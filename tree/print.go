package tree

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/coppice-go/coppice/strategies"
)

// Style is how Print draws a tree. The zero value is plain text.
type Style struct {
	// Color uses ANSI colours, for states that Width leaves whole.
	Color bool
	// Width cuts lines. 0: never.
	Width int
}

// String draws the tree below n as plain text, a line for each node.
func (n Node) String() string {
	var b strings.Builder
	_ = n.Print(&b, Style{})
	return b.String()
}

// Print draws the tree below n: name, state, incarnation, uptime, restarts and the
// last error of every node.
func (n *Node) Print(w io.Writer, style Style) error {
	var rows [][2]string
	n.rows("", "", &rows)
	wide := 0
	for _, r := range rows {
		wide = max(wide, utf8.RuneCountInString(r[0]))
	}
	i := 0
	var err error
	n.Walk(func(m *Node) bool {
		tree, rest := rows[i][0], rows[i][1]
		i++
		tree += strings.Repeat(" ", wide-utf8.RuneCountInString(tree)+2)
		line := cut(tree+fmt.Sprintf("%-10s  ", m.State)+rest, style.Width)
		state := m.State.String()
		if rest, whole := strings.CutPrefix(line, tree+state); style.Color && whole {
			line = tree + m.color() + state + colorOff + rest
		}
		_, err = fmt.Fprintln(w, strings.TrimRight(line, " "))
		return err == nil
	})
	return err
}

func (n *Node) rows(first, next string, rows *[][2]string) {
	*rows = append(*rows, [2]string{first + n.Name, n.describe()})
	for i := range n.Children {
		a, b := "├─ ", "│  "
		if i == len(n.Children)-1 {
			a, b = "└─ ", "   "
		}
		n.Children[i].rows(next+a, next+b, rows)
	}
}

func (n *Node) describe() string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if n.Kind == "supervisor" {
		add("%s", n.Strategy)
		if n.Intensity.Max != strategies.Unlimited {
			add("%d/%d in %v", n.Used, n.Intensity.Max, n.Intensity.Within)
		}
	} else {
		add("%s", n.Kind)
	}
	if n.Incarnation > 0 {
		add("#%d", n.Incarnation)
	}
	if n.PID > 0 {
		add("pid %d", n.PID)
	}
	if n.Running() && !n.LastStart.IsZero() {
		add("up %s", short(n.Uptime))
	}
	if n.Restarts > 0 {
		add("restarts %d", n.Restarts)
	}
	if n.Stuck > 0 {
		add("STUCK #%d", n.Stuck)
	}
	if n.Status != "" {
		add("%q", n.Status)
	}
	if n.LastError != nil {
		add("last: %s", oneLine(errorText(n.LastError)))
	}
	return strings.Join(parts, "  ")
}

// short rounds to what a reader cares for.
func short(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// oneLine keeps the first line and makes control characters harmless.
func oneLine(s string) string {
	s, _, more := strings.Cut(s, "\n")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	if len(s) > 200 {
		s, more = strings.ToValidUTF8(s[:200], ""), true
	}
	if more {
		s += " …"
	}
	return s
}

func cut(s string, width int) string {
	if width <= 0 || utf8.RuneCountInString(s) <= width {
		return s
	}
	return string([]rune(s)[:max(width-1, 0)]) + "…"
}

const colorOff = "\x1b[0m"

// color is red for what is stuck, green for what runs, dim for what is down, and
// yellow for what is on its way.
func (n *Node) color() string {
	switch {
	case n.Stuck > 0:
		return "\x1b[31m"
	case n.State == Running:
		return "\x1b[32m"
	case n.State == Down:
		return "\x1b[2m"
	}
	return "\x1b[33m"
}
