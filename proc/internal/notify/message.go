// Package notify is the protocol of sd_notify(3) from the side of who is told: the
// socket, and what a message says.
package notify

import (
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	statusWidth = 512                        // bytes of a STATUS that are kept
	forever     = 100 * 365 * 24 * time.Hour // of what is said to be longer
)

// Message is what a process says. What is not here is not heard.
type Message struct {
	Ready, Reloading, Stopping bool
	Alive, Trigger             bool           // of the watchdog
	Every                      *time.Duration // of the watchdog; 0: none
	Extend                     time.Duration
	At                         uint64 // MONOTONIC_USEC; 0: not told
	Status                     *string
	Errno                      syscall.Errno
	MainPID                    string
}

// Parse takes of each variable the first. A message with a NUL in it is none.
func Parse(text string) (m Message) {
	text = strings.TrimRight(text, "\x00")
	if strings.ContainsRune(text, 0) {
		return m
	}
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
	for _, line := range slices.Backward(lines) {
		key, value, _ := strings.Cut(line, "=")
		number, err := strconv.ParseUint(value, 10, 64)
		switch key {
		case "READY":
			m.Ready = value == "1"
		case "RELOADING":
			m.Reloading = value == "1"
		case "STOPPING":
			m.Stopping = value == "1"
		case "WATCHDOG":
			m.Alive, m.Trigger = value == "1", value == "trigger"
		case "STATUS":
			m.Status = new(OneLine(value))
		case "MAINPID":
			m.MainPID = OneLine(value)
		}
		if err != nil {
			continue
		}
		switch key {
		case "WATCHDOG_USEC":
			m.Every = new(microseconds(number))
		case "EXTEND_TIMEOUT_USEC":
			m.Extend = microseconds(number)
		case "MONOTONIC_USEC":
			m.At = number
		case "ERRNO":
			m.Errno = 0
			if number < 4096 { // the highest that Linux has
				m.Errno = syscall.Errno(number)
			}
		}
	}
	return m
}

// microseconds is 0 for what sd_notify takes for infinity.
func microseconds(n uint64) time.Duration {
	switch {
	case n == 1<<64-1:
		return 0
	case n > uint64(forever.Microseconds()):
		return forever
	}
	return time.Duration(n) * time.Microsecond
}

// OneLine makes a text fit to be shown: printable, and 512 bytes at most.
func OneLine(text string) string {
	cut := len(text) > statusWidth
	if cut {
		n := statusWidth
		for n > statusWidth-utf8.UTFMax && !utf8.RuneStart(text[n]) {
			n--
		}
		text = text[:n]
	}
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	if text = strings.TrimSpace(text); cut {
		text += " …"
	}
	return text
}
