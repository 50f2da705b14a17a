package rotate

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"
)

const (
	maxSize  = 100 << 20 // if nothing else is said
	minSize  = 2 * maxLine
	maxFiles = 10
	mode     = 0o640
	day      = 24 * time.Hour
)

// File is a Stdout or Stderr of a proc.Command, which opens it when a process
// starts and closes it when it has ended. A File holds nothing but these fields,
// so one value may serve many Commands; those with the same Path, by whatever name,
// write into the same file, and must agree in all else. No other program may write to it.
type File struct {
	// Path is where the newest lines are. Its directory is made if there is none. Of a
	// symbolic link it is the file that this leads to when it is opened. What is no
	// regular file, such as a device, is written to and never rotated; a named pipe
	// that nobody reads cannot be opened.
	Path string

	// MaxSize is how many bytes the file may have, 128 KiB at least. 0: 100 MiB.
	MaxSize int64

	// Interval is how long a file is written to, an hour or a day say, counted from
	// midnight of the local time, of each day if it is less than one: the first line of
	// a new interval begins a new file. In whole seconds, at least a minute; more than
	// a day in whole days. 0: for as long as its size permits.
	Interval time.Duration

	// MaxFiles is how many older files are kept. 0: 10. Negative: all.
	MaxFiles int

	// MaxAge is how long an older file is kept, in days; a part of a day counts as
	// one. 0: for ever.
	MaxAge time.Duration

	// Compress has older files compressed with gzip.
	Compress bool

	// Mode is the permissions of a new file; the umask takes nothing from them. 0:
	// those of the file before it, or 0640.
	Mode fs.FileMode
}

// Validate checks the fields. The error names the first that is wrong.
func (f *File) Validate() error {
	switch {
	case f == nil:
		return errors.New("nil File")
	case f.Path == "":
		return errors.New("Path: empty")
	case strings.ContainsRune(f.Path, 0):
		return errors.New("Path: contains a NUL byte")
	case f.MaxSize != 0 && f.MaxSize < minSize:
		return fmt.Errorf("MaxSize: less than %d: %d", minSize, f.MaxSize)
	case f.Interval != 0 && f.Interval < time.Minute:
		return fmt.Errorf("Interval: less than a minute: %v", f.Interval)
	case f.Interval%time.Second != 0:
		return fmt.Errorf("Interval: not in whole seconds: %v", f.Interval)
	case f.Interval > day && f.Interval%day != 0:
		return fmt.Errorf("Interval: more than a day, and not in whole days: %v", f.Interval)
	case f.MaxAge < 0:
		return fmt.Errorf("MaxAge: negative: %v", f.MaxAge)
	case f.Mode&^fs.ModePerm != 0:
		return fmt.Errorf("Mode: more than permissions: %v", f.Mode)
	}
	return nil
}

// Open opens the file for one stream. The writer is for one goroutine; when the
// last is closed so is the file, or as soon as older ones are compressed. A file
// that cannot be written to is an error.
func (f *File) Open() (io.WriteCloser, error) {
	if err := f.Validate(); err != nil {
		return nil, err
	}
	s, err := share(*f)
	if err != nil {
		return nil, err
	}
	return &writer{to: s}, nil
}

// Write opens the file for b alone, and closes it.
func (f *File) Write(b []byte) (int, error) {
	w, err := f.Open()
	if err != nil {
		return 0, err
	}
	n, err := w.Write(b)
	return n, errors.Join(err, w.Close())
}

// perhaps is v, or a default for the zero value.
func perhaps[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
