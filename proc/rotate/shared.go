package rotate

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/DeRuina/timberjack"
)

const (
	checkEvery = time.Second
	closeWait  = 100 * time.Millisecond // for what is being compressed

	// stamp is never the same twice, for files with the same count as one.
	stamp = "2006-01-02T15-04-05.000000"
)

// open are the files that somebody has open, by path, without symbolic links.
var open = struct {
	sync.Mutex
	files map[string]*shared
}{files: make(map[string]*shared)}

// shared is one open file.
type shared struct {
	File
	holders int // guarded by open

	mu      sync.Mutex
	log     *timberjack.Logger // nil: to be opened at the next write
	closing chan struct{}      // closed when the one before is; nil: there was none
	regular bool               // else it is never rotated
	size    int64
	last    time.Time   // when it was written to
	info    os.FileInfo // of what is written to; nil: not known yet
	checked time.Time   // when it was last seen to be at its path
	unended *writer     // whose line at the end of the file has no end
}

// share opens the file if nobody has, without touching what is in it.
func share(f File) (*shared, error) {
	path, err := filepath.Abs(f.Path)
	if err != nil {
		return nil, err
	}
	f.Path = path
	regular, err := f.try()
	if regular { // else it is not renamed, and may have no other name
		f.Path, err = resolve(path)
	}
	if err != nil {
		return nil, err
	}
	f.MaxSize = perhaps(f.MaxSize, maxSize)
	f.MaxFiles = perhaps(f.MaxFiles, maxFiles)
	open.Lock()
	defer open.Unlock()
	s := open.files[f.Path]
	if s != nil && s.holders > 0 {
		if s.File != f {
			return nil, fmt.Errorf("%s is open already, with other settings", path)
		}
		s.holders++
		return s, nil
	}
	if s == nil {
		s = &shared{}
		open.files[f.Path] = s
	}
	s.File, s.holders = f, 1
	return s, nil
}

// resolve follows symbolic links. Whether there is a file at their end does not matter:
// it may be renamed at this moment.
func resolve(path string) (string, error) {
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, filepath.Base(path))
	if info, err := os.Lstat(path); err != nil || info.Mode()&os.ModeSymlink == 0 {
		return path, nil
	}
	return filepath.EvalSymlinks(path)
}

// try tells whether the file can be written to, and whether it is a regular one. A
// named pipe that nobody reads is an error.
func (f *File) try() (regular bool, err error) {
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o755); err != nil {
		return false, err
	}
	_, missing := os.Stat(f.Path)
	file, err := os.OpenFile(f.Path, os.O_CREATE|os.O_APPEND|os.O_WRONLY|syscall.O_NONBLOCK, perhaps(f.Mode, mode))
	if err != nil {
		return false, err
	}
	if errors.Is(missing, os.ErrNotExist) && f.Mode != 0 {
		err = file.Chmod(f.Mode)
	}
	info, statErr := file.Stat()
	return statErr == nil && info.Mode().IsRegular(), errors.Join(err, statErr, file.Close())
}

// write writes whole lines, or a piece of one.
func (s *shared) write(w *writer, b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.check(now)
	if err := s.ready(now); err != nil {
		return 0, err
	}
	if reason := s.due(now, len(b)); reason != "" {
		if err := s.log.RotateWithReason(reason); err != nil {
			return 0, fmt.Errorf("rotate %s: %w", s.Path, err)
		}
		s.size, s.info, s.unended = 0, nil, nil
	}
	if s.unended != nil && s.unended != w {
		if err := s.endLine(); err != nil {
			return 0, err
		}
	}
	n, err := s.log.Write(b)
	s.size, s.last = s.size+int64(n), now
	if n > 0 && b[n-1] == '\n' {
		s.unended = nil
	} else if n > 0 {
		s.unended = w
	}
	if err != nil {
		if s.unended == w {
			s.unended = &writer{} // nobody goes on with it
		}
		return n, err
	}
	if s.info == nil {
		s.info, _ = os.Stat(s.Path)
	}
	return n, nil
}

// finish ends a line of w's that has no end.
func (s *shared) finish(w *writer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unended != w || s.log == nil {
		return nil
	}
	return s.endLine()
}

func (s *shared) endLine() error {
	n, err := s.log.Write([]byte{'\n'})
	s.size += int64(n)
	if err == nil {
		s.unended = nil
	}
	return err
}

// due is why the file must be rotated before n bytes; empty: it need not be.
func (s *shared) due(now time.Time, n int) string {
	switch {
	case s.size == 0 || !s.regular:
	case s.Interval > 0 && s.interval(s.last) != s.interval(now):
		return "time"
	case s.size+int64(n) > s.MaxSize:
		return "size"
	}
	return ""
}

// interval numbers the intervals of the local time.
func (s *shared) interval(t time.Time) int64 {
	const daily = int64(day / time.Second)
	_, offset := t.Zone()
	local, length := t.Unix()+int64(offset), int64(s.Interval/time.Second)
	if length >= daily {
		return local / length
	}
	return local/daily*daily + local%daily/length
}

// check looks from time to time whether somebody else has touched the file.
func (s *shared) check(now time.Time) {
	if s.log == nil || s.info == nil || now.Sub(s.checked) < checkEvery {
		return
	}
	s.checked = now
	if info, err := os.Stat(s.Path); err != nil || !os.SameFile(info, s.info) || info.Mode().IsRegular() && info.Size() < s.size {
		s.close()
	}
}

// ready opens the file.
func (s *shared) ready(now time.Time) error {
	if s.log != nil {
		return nil
	}
	if s.closing != nil {
		<-s.closing // or two would compress the same files
		s.closing = nil
	}
	regular, err := s.try()
	if err != nil {
		return err
	}
	info, err := os.Stat(s.Path)
	if err != nil {
		return err
	}
	s.regular = regular
	s.size, s.last, s.info, s.checked, s.unended = info.Size(), info.ModTime(), nil, now, nil
	s.log = &timberjack.Logger{
		Filename: s.Path, MaxSize: math.MaxInt32, // when to rotate is decided here
		MaxBackups: max(0, s.MaxFiles), MaxAge: int((s.MaxAge + day - 1) / day),
		LocalTime: true, BackupTimeFormat: stamp, Compression: "none", FileMode: s.Mode,
	}
	if s.Compress {
		s.log.Compression = "gzip"
	}
	return nil
}

// close closes the file, in a goroutine because that waits for the compression.
func (s *shared) close() {
	log, path, done := s.log, s.Path, make(chan struct{})
	s.log, s.closing = nil, done
	go func() {
		_ = log.Close() // every Write went to the system at once
		open.Lock()
		defer open.Unlock()
		close(done)
		s.forget(path)
	}()
}

// forget is called with open locked.
func (s *shared) forget(path string) {
	if s.holders == 0 && open.files[path] == s {
		delete(open.files, path)
	}
}

// release closes the file after the last of its holders, and waits a moment for that.
func (s *shared) release() {
	closed := s.drop()
	timer := time.NewTimer(closeWait)
	defer timer.Stop()
	select {
	case <-closed:
	case <-timer.C:
	}
}

// drop returns what is closed when there is nothing to wait for any more.
func (s *shared) drop() <-chan struct{} {
	none := make(chan struct{})
	close(none)
	open.Lock()
	defer open.Unlock()
	if s.holders--; s.holders > 0 {
		return none
	}
	s.mu.Lock() // which nobody else has: there is no holder
	defer s.mu.Unlock()
	if s.log != nil {
		s.close()
	}
	if s.closing == nil {
		s.forget(s.Path)
		return none
	}
	select {
	case <-s.closing:
		s.forget(s.Path)
	default:
	}
	return s.closing
}
