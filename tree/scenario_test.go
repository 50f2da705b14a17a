package tree_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var rewrite = flag.Bool("rewrite", false, "write into the scenarios what happens, instead of comparing it")

const scenarios = "testdata/scenarios"

// Every scenario says what happens. README.md beside them tells the format; with
// -rewrite they are written anew, and are to be read before they are kept.
//
// The format is our own: a command takes one line and its output follows at once,
// all else is prose; and nothing of it runs on the bubble's clock.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(scenarios, "*.txt"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			s, err := readScenario(file, string(text))
			require.NoError(t, err)
			bubble(t, func(t *testing.T) { require.NoError(t, s.play()) })
			if *rewrite {
				if now := s.text(); now != string(text) && !t.Failed() {
					require.NoError(t, os.WriteFile(file, []byte(now), 0o644))
				}
				return
			}
			require.Empty(t, s.differences(), "\nif this is right: go test ./tree -run TestScenarios -rewrite\n")
		})
	}
}

// scenario is a file: prose, trees and commands in their order.
type scenario struct {
	file  string
	parts []*passage
}

// passage is lines of prose, a tree, or a command with what follows from it.
type passage struct {
	line    int // of its first line, from 1
	text    []string
	isTree  bool
	command string
	want    []string
	got     []string
}

func (s *scenario) errorf(line int, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", s.file, line, fmt.Sprintf(format, args...))
}

// readScenario reads a file. Passages end with a blank line, commands with the
// next command too.
func readScenario(file, text string) (*scenario, error) {
	s := &scenario{file: file}
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if !strings.HasPrefix(lines[0], "# ") {
		return nil, s.errorf(1, "a scenario begins with its title, \"# …\"")
	}
	var last *passage
	trees, prose := 0, 0
	for i, line := range lines {
		if line != strings.TrimRight(line, " \t") {
			return nil, s.errorf(i+1, "space at the end of the line")
		}
		command, isCommand := strings.CutPrefix(line, "> ")
		switch {
		case isCommand && trees == 0:
			return nil, s.errorf(i+1, "a command before the tree")
		case isCommand:
			last = &passage{line: i + 1, command: command}
			s.parts = append(s.parts, last)
			continue
		case line == "":
			last = nil
		case last != nil && last.command != "":
			last.want = append(last.want, line)
			continue
		case last == nil:
			last = &passage{line: i + 1, isTree: line == "tree"}
			if last.isTree {
				trees++
			} else if !strings.HasPrefix(line, "# ") {
				prose++
			}
			s.parts = append(s.parts, last)
		}
		if last == nil { // a blank line is kept as it is
			s.parts = append(s.parts, &passage{line: i + 1, text: []string{""}})
			continue
		}
		last.text = append(last.text, line)
	}
	if prose == 0 {
		return nil, s.errorf(1, "a scenario says in a sentence what it shows")
	}
	if trees == 0 {
		return nil, s.errorf(len(lines), "there is no tree")
	}
	return s, nil
}

// play carries the commands out, each on the last tree before it.
func (s *scenario) play() error {
	var p *play
	defer func() { p.finish() }()
	for _, part := range s.parts {
		switch {
		case part.isTree:
			p.finish()
			spec, err := readTree(part.text[1:])
			if err != nil {
				return s.errorf(part.line+1+err.line, "%v", err.err)
			}
			p = newPlay(spec)
		case part.command != "":
			got, err := p.command(part.command)
			if err != nil {
				return s.errorf(part.line, "%v", err)
			}
			part.got = got
		}
	}
	return nil
}

// text is the file with what has happened in place of what should.
func (s *scenario) text() string {
	var b bytes.Buffer
	for _, part := range s.parts {
		lines := part.text
		if part.command != "" {
			lines = append([]string{"> " + part.command}, part.got...)
		}
		for _, line := range lines {
			fmt.Fprintln(&b, line)
		}
	}
	return b.String()
}

// differences shows each command that led to something else, with "-" before what
// the file says and "+" before what happened.
func (s *scenario) differences() string {
	var b strings.Builder
	for _, part := range s.parts {
		want, got := part.want, part.got
		if strings.Join(want, "\n") == strings.Join(got, "\n") {
			continue
		}
		fmt.Fprintf(&b, "\n%s:%d:\n  > %s\n", s.file, part.line, part.command)
		head := 0
		for head < min(len(want), len(got)) && want[head] == got[head] {
			head++
		}
		tail := 0
		for tail < min(len(want), len(got))-head && want[len(want)-1-tail] == got[len(got)-1-tail] {
			tail++
		}
		show := func(sign string, lines []string) {
			for _, line := range lines {
				fmt.Fprintln(&b, sign, line)
			}
		}
		show(" ", want[:head])
		show("-", want[head:len(want)-tail])
		show("+", got[head:len(got)-tail])
		show(" ", want[len(want)-tail:])
	}
	return b.String()
}
