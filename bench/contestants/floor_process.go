package contestants

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"sync"
)

// Keep is a loop around os/exec.
func (floor) Keep(path string, args []string, pipe *os.File) (func() error, error) {
	var mu sync.Mutex // so that a stop finds the process that runs
	var cmd *exec.Cmd
	over := false
	run := func() error {
		mu.Lock()
		defer mu.Unlock()
		if over {
			return errOver
		}
		cmd = exec.Command(path, args...)
		cmd.ExtraFiles = []*os.File{pipe}
		return cmd.Start()
	}
	if err := run(); err != nil {
		return nil, err
	}
	done := make(chan error, 1)
	go func() {
		err := error(nil)
		for err == nil {
			_ = cmd.Wait()
			err = run()
		}
		done <- err
	}()
	return func() error {
		mu.Lock()
		over = true
		_ = cmd.Process.Kill()
		mu.Unlock()
		if err := <-done; err != errOver {
			return err
		}
		return nil
	}, nil
}

var errOver = errors.New("stopped")

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
