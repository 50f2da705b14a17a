package contestants

import (
	"bufio"
	"os"
	"os/exec"
	"sync/atomic"
)

// Keep is a loop around os/exec.
func (floor) Keep(path string, args []string, pipe *os.File) (func() error, error) {
	run := func() (*exec.Cmd, error) {
		cmd := exec.Command(path, args...)
		cmd.ExtraFiles = []*os.File{pipe}
		return cmd, cmd.Start()
	}
	cmd, err := run()
	if err != nil {
		return nil, err
	}
	var over atomic.Bool
	var now atomic.Pointer[exec.Cmd]
	now.Store(cmd)
	done := make(chan error, 1)
	go func() {
		for {
			_ = cmd.Wait()
			if over.Load() {
				done <- nil
				return
			}
			var err error
			if cmd, err = run(); err != nil {
				done <- err
				return
			}
			now.Store(cmd)
		}
	}()
	return func() error {
		over.Store(true)
		_ = now.Load().Process.Kill()
		return <-done
	}, nil
}

// Lines is a bufio.Scanner on the pipe.
func (floor) Lines(path string, args []string, line func()) error {
	cmd := exec.Command(path, args...)
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	for lines := bufio.NewScanner(pipe); lines.Scan(); {
		line()
	}
	return cmd.Wait()
}

// pieces is a writer that hands on how much was written.
type pieces func(n int)

func (p pieces) Write(b []byte) (int, error) {
	p(len(b))
	return len(b), nil
}

// Bytes is os/exec with a writer.
func (floor) Bytes(path string, args []string, piece func(int)) error {
	cmd := exec.Command(path, args...)
	cmd.Stdout = pieces(piece)
	return cmd.Run()
}
