package proc

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/coppice-go/coppice/actor"
)

// Text is a Stdin of that text.
func Text(text string) func() (io.Reader, error) {
	return func() (io.Reader, error) { return strings.NewReader(text), nil }
}

// input is what a process reads.
type input struct {
	p     *process
	file  *os.File  // what the process gets; nil: the null device
	keep  bool      // file is not ours to close
	from  io.Reader // what is copied
	write *os.File  // to here; nil: nothing is copied
	done  chan struct{}

	closed chan struct{} // from is
	until  time.Time     // for all of that
}

// openInput calls user code.
func (a *attempt) openInput() error {
	p := a.p
	if p.cmd.Stdin == nil {
		p.input = &input{}
		return nil
	}
	from, err := p.cmd.Stdin()
	if err != nil {
		return err
	}
	if f, ok := from.(*os.File); ok && f != nil {
		if _, err := f.Stat(); err != nil {
			return err
		}
		p.input = &input{file: f, keep: f == os.Stdin}
		a.releases = append(a.releases, p.input.given)
		return nil
	}
	if from == nil {
		from = strings.NewReader("")
	}
	a.releases = append(a.releases, func() { closeReader(from) })
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	p.input = &input{p: p, file: r, from: from, write: w, done: make(chan struct{})}
	a.releases = append(a.releases, func() { w.Close() }, p.input.given)
	return nil
}

// given is called when the process has got its own, or could not be started.
func (in *input) given() {
	if !in.keep && in.file != nil {
		in.file.Close()
	}
}

// begin is for a process that was started.
func (in *input) begin() {
	in.given()
	if in.write != nil {
		go in.feed()
	}
}

// feed copies until either side ends. It calls user code.
func (in *input) feed() {
	defer close(in.done)
	defer in.write.Close()
	defer func() {
		if r := recover(); r != nil {
			in.p.warn("input cut short", slog.Any("error", actor.NewPanicError(r)))
		}
	}()
	_, err := io.Copy(in.write, in.from)
	for _, end := range []error{syscall.EPIPE, os.ErrClosed, os.ErrDeadlineExceeded} {
		if errors.Is(err, end) {
			err = nil
		}
	}
	if err != nil {
		in.p.warn("input cut short", slog.Any("error", err))
	}
}

// close ends the copying when the process has ended.
func (in *input) close() {
	if in.write == nil {
		return
	}
	_ = in.write.SetWriteDeadline(time.Unix(1, 0))
	in.until, in.closed = time.Now().Add(killWait), make(chan struct{})
	go func() {
		defer close(in.closed)
		closeReader(in.from)
	}()
}

// end waits for that.
func (in *input) end() {
	if in.write == nil {
		return
	}
	for _, c := range []<-chan struct{}{in.closed, in.done} {
		if !wait(time.Until(in.until), c, nil) {
			in.p.warn("input given up: its reader does not return")
			return
		}
	}
}

// closeReader calls user code.
func closeReader(r io.Reader) {
	defer func() { _ = recover() }()
	if c, ok := r.(io.Closer); ok {
		_ = c.Close()
	}
}
