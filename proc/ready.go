package proc

import (
	"fmt"
	"regexp"
)

// Probe tells when a process is ready, or whether it is alive: LogLine, Notify, TCP,
// Unix, HTTP, File and Exec. One value may serve many processes. One that asks from
// outside, such as TCP, cannot know who answers.
type Probe interface {
	validate() error
	String() string
}

func (c *Command) validateReady() error {
	switch {
	case c.ReadyInterval < 0:
		return fmt.Errorf("ReadyInterval: negative: %v", c.ReadyInterval)
	case c.ReadyTimeout < 0:
		return fmt.Errorf("ReadyTimeout: negative: %v", c.ReadyTimeout)
	}
	_, asks := c.Ready.(asker)
	_, reads := c.Ready.(liner)
	if c.Ready == nil {
		return nil
	}
	if !asks && !reads && !c.readyByNotify() {
		return fmt.Errorf("Ready: no probe: %T", c.Ready)
	}
	if err := validProbe(c.Ready); err != nil {
		return fmt.Errorf("Ready: %w", err)
	}
	return nil
}

// validProbe refuses nil pointers to probes as well, embedded ones too.
func validProbe(p Probe) (err error) {
	defer func() {
		if recover() != nil {
			err = fmt.Errorf("nil %T", p)
		}
	}()
	return p.validate()
}

// liner is a Probe that is shown every line of output until it returns true.
type liner interface {
	Probe
	line(text string) bool
}

// LogLine is a Probe that waits for a line of output, on stdout or stderr, that
// matches the regular expression. A pattern that is none is refused when the
// spec is checked. Bound the wait by Child.StartTimeout.
func LogLine(pattern string) Probe {
	re, err := regexp.Compile(pattern)
	return &logLine{pattern, re, err}
}

type logLine struct {
	pattern string
	re      *regexp.Regexp
	err     error
}

func (l *logLine) String() string { return "LogLine " + l.pattern }

func (l *logLine) validate() error {
	if l.err != nil {
		return fmt.Errorf("LogLine: %w", l.err)
	}
	return nil
}

func (l *logLine) line(text string) bool { return l.re != nil && l.re.MatchString(text) }
