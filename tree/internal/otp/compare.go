package otp

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Lines are the events that keep wants, as text. Exits of one dynamic
// supervisor's children that follow each other are put in order.
func Lines(trace []Event, keep func(Event) bool) []string {
	var lines []string
	begin, parent := 0, ""
	flush := func() {
		slices.Sort(lines[begin:])
		begin, parent = len(lines), ""
	}
	for _, e := range trace {
		if !keep(e) {
			continue
		}
		where, _ := e["path"].(string)
		instance := e["t"] == "exit" && strings.HasPrefix(path.Base(where), "#")
		if !instance || path.Dir(where) != parent {
			flush()
		}
		lines = append(lines, e.String())
		if instance {
			parent = path.Dir(where)
		} else {
			begin = len(lines)
		}
	}
	flush()
	return lines
}

// Diff is empty if both are the same. Otherwise it shows the step, what led to the
// first difference, and both sides from there.
func Diff(want, got []string) string {
	for i := range max(len(want), len(got)) {
		if at(want, i) != at(got, i) {
			return sideBySide(want, got, i)
		}
	}
	return ""
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(nothing)"
}

func sideBySide(want, got []string, i int) string {
	var b strings.Builder
	from := max(0, i-12)
	for n := i - 1; n >= 0; n-- {
		if strings.Contains(want[n], `"t":"step"`) {
			fmt.Fprintf(&b, "  in    %s\n", want[n])
			break
		}
	}
	for n := from; n < i; n++ {
		fmt.Fprintf(&b, "  both  %s\n", at(want, n))
	}
	for n := i; n < i+8; n++ {
		fmt.Fprintf(&b, "  OTP   %s\n  here  %s\n", at(want, n), at(got, n))
	}
	return b.String()
}
