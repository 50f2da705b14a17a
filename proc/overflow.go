package proc

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/coppice-go/coppice/actor"
)

// Overflow says what happens to output that the Logger or a writer is too slow for.
type Overflow uint8

const (
	// Block makes the process wait, as for any pipe that is full. Nothing is lost.
	Block Overflow = iota
	// Drop never makes it wait: what does not fit in Command.OutputBuffer is dropped
	// in whole lines, counted, and the count logged. The last lines are kept for Tail
	// and ExitError, and seen by LogLine, all the same.
	Drop
)

func (o Overflow) String() string {
	switch o {
	case Block:
		return "block"
	case Drop:
		return "drop"
	}
	return fmt.Sprintf("Overflow(%d)", uint8(o))
}

const (
	outputBuffer    = 1 << 20 // if nothing else is said
	minOutputBuffer = 2 * readSize
	maxOutputBuffer = 1 << 30
)

func (c *Command) buffer() int {
	if c.OutputBuffer == 0 {
		return outputBuffer
	}
	return c.OutputBuffer
}

type stream struct {
	name, field string
	writer      io.Writer
}

func (c *Command) streams() [2]stream {
	return [2]stream{{"stdout", "Stdout", c.Stdout}, {"stderr", "Stderr", c.Stderr}}
}

func (c *Command) validateOutput() error {
	switch {
	case c.Overflow > Drop:
		return fmt.Errorf("Overflow: no such policy: %d", uint8(c.Overflow))
	case c.OutputBuffer != 0 && c.Overflow != Drop:
		return errors.New("OutputBuffer: not used unless Overflow is Drop")
	case c.OutputBuffer != 0 && (c.OutputBuffer < minOutputBuffer || c.OutputBuffer > maxOutputBuffer):
		return fmt.Errorf("OutputBuffer: not from %d to %d: %d", minOutputBuffer, maxOutputBuffer, c.OutputBuffer)
	case c.TailLines > maxTail:
		return fmt.Errorf("TailLines: more than %d: %d", maxTail, c.TailLines)
	}
	files := 0
	for _, s := range c.streams() {
		if f, ok := s.writer.(*os.File); ok {
			if f == nil {
				return fmt.Errorf("%s: nil *os.File", s.field)
			}
			files++
		}
		_, opens := s.writer.(Opener)
		if v, ok := s.writer.(actor.Validator); ok && opens {
			if err := v.Validate(); err != nil {
				return fmt.Errorf("%s: %w", s.field, err)
			}
		}
	}
	if _, lines := c.Ready.(liner); lines && files == 2 {
		return errors.New("Ready: LogLine sees no line: Stdout and Stderr are files, which the process writes to itself")
	}
	return nil
}
