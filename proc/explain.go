package proc

import (
	"bufio"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/coppice-go/coppice/proc/internal/keeper"
)

// explain adds to the error of a start what the system's word for it leaves open.
func (c *Command) explain(path string, err error) error {
	var setup *keeper.SetupError
	if err == nil || errors.As(err, &setup) {
		return err
	}
	path = c.in(path)
	why := ""
	switch {
	case errors.Is(err, errNotProgram):
		why = "it is neither a program for this machine nor a script that begins with #!"
	case errors.Is(err, errTextBusy):
		why = "it is being written to"
	case errors.Is(err, syscall.E2BIG):
		why = "its arguments and environment are too long"
	case errors.Is(err, os.ErrNotExist):
		why = missing(path)
	case errors.Is(err, os.ErrPermission):
		why = c.forbidden(path)
	}
	if why == "" {
		return err
	}
	return fmt.Errorf("%w: %s", err, why)
}

// missing tells what it is that does not exist if the file does.
func missing(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	first, err := bufio.NewReader(io.LimitReader(f, 256)).ReadString('\n')
	if interpreter, ok := strings.CutPrefix(first, "#!"); ok && (err == nil || err == io.EOF) {
		if words := strings.Fields(interpreter); len(words) > 0 {
			return fmt.Sprintf("its interpreter is missing: %q", strings.TrimRight(strings.TrimLeft(interpreter, " \t"), "\n"))
		}
	}
	program, err := elf.NewFile(f)
	if err != nil {
		return ""
	}
	for _, part := range program.Progs {
		if part.Type == elf.PT_INTERP {
			name, _ := io.ReadAll(io.LimitReader(part.Open(), 256))
			return fmt.Sprintf("its dynamic loader is missing: %q", strings.TrimRight(string(name), "\x00"))
		}
	}
	return ""
}

// forbidden tells why it may not be executed, as far as the file itself says so.
func (c *Command) forbidden(path string) string {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return ""
	case info.IsDir():
		return "it is a directory"
	case info.Mode()&0o111 == 0:
		return "it is not executable"
	case c.User != "":
		return fmt.Sprintf("to user %s, or its file system is mounted noexec", c.User)
	}
	return "its file system may be mounted noexec"
}
