package proc

import (
	"fmt"
	"regexp"
)

// Probe tells when a process is ready. Probes are made by functions of this
// package, such as LogLine. One value may serve many processes.
type Probe interface {
	validate() error
	// line is shown every line of output until it returns true.
	line(text string) bool
}

// LogLine is a Probe that waits for a line of output, on stdout or stderr, that
// matches the regular expression. A pattern that is none is refused when the
// spec is checked. Bound the wait by Child.StartTimeout.
func LogLine(pattern string) Probe {
	re, err := regexp.Compile(pattern)
	return &logLine{re, err}
}

type logLine struct {
	re  *regexp.Regexp
	err error
}

func (l *logLine) validate() error {
	if l.err != nil {
		return fmt.Errorf("LogLine: %w", l.err)
	}
	return nil
}

func (l *logLine) line(text string) bool { return l.re != nil && l.re.MatchString(text) }
