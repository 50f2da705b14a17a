// Package results is what measurements leave behind: rows of figures, one line of
// JSON each, below one that tells of the machine.
package results

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Row is one figure. Value is the median of Runs runs, Min and Max are their
// extremes.
type Row struct {
	Workload   string  `json:"workload"`
	Contestant string  `json:"contestant"`
	N          int     `json:"n"`
	Metric     string  `json:"metric"`
	Unit       string  `json:"unit"`
	Value      float64 `json:"value"`
	Min        float64 `json:"min"`
	Max        float64 `json:"max"`
	Runs       int     `json:"runs"`
	None       string  `json:"none,omitempty"` // why there is no figure; Metric is empty then
}

// HigherIsBetter tells it of rates; of all other units less is better.
func HigherIsBetter(unit string) bool { return strings.HasSuffix(unit, "/s") }

// Set is a results file.
type Set struct {
	About About
	Rows  []Row
}

// Find returns the row of a figure.
func (s *Set) Find(workload, contestant string, n int, metric string) (Row, bool) {
	for _, r := range s.Rows {
		if r.Workload == workload && r.Contestant == contestant && r.N == n && r.Metric == metric {
			return r, true
		}
	}
	return Row{}, false
}

type aboutLine struct {
	About *About `json:"about"`
}

// Write writes the set as lines of JSON.
func (s *Set) Write(w io.Writer) error {
	enc := json.NewEncoder(w)
	if err := enc.Encode(aboutLine{&s.About}); err != nil {
		return err
	}
	for _, r := range s.Rows {
		if err := enc.Encode(r); err != nil {
			return err
		}
	}
	return nil
}

// Read reads what Write writes.
func Read(r io.Reader) (*Set, error) {
	s := &Set{}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		var line struct {
			aboutLine
			Row
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		switch {
		case line.About != nil:
			s.About = *line.About
		case line.Workload == "" || line.Contestant == "":
			return nil, fmt.Errorf("line %d: neither a row nor about the machine", n)
		default:
			s.Rows = append(s.Rows, line.Row)
		}
	}
	return s, lines.Err()
}

// ReadFile reads a results file.
func ReadFile(name string) (*Set, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

// CanWrite tells why WriteFile could not replace the file.
func CanWrite(name string) error {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return fmt.Errorf("%s: is a directory", name)
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".results-*")
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	defer os.Remove(f.Name())
	return f.Close()
}

// WriteFile replaces the file as a whole, so that who reads it never sees a part.
func (s *Set) WriteFile(name string) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".results-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	err = s.Write(f)
	if err2 := f.Close(); err == nil {
		err = err2
	}
	if err == nil {
		err = os.Chmod(f.Name(), 0o644)
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	return err
}
