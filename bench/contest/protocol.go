package contest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// Request asks a contestant's program for one measurement. It is one line of
// JSON on stdin, and nothing follows it.
type Request struct {
	Workload string `json:"workload"`
	N        int    `json:"n"`
	Millis   int    `json:"millis"` // how long a workload lasts that is measured by time
}

// Length is Millis as a duration.
func (r Request) Length() time.Duration { return time.Duration(r.Millis) * time.Millisecond }

// Sample is one line of the answer on stdout: a figure; or why there is none; or
// what went wrong. The program then exits with code 0.
type Sample struct {
	Metric string  `json:"metric,omitempty"`
	Value  float64 `json:"value"`
	None   string  `json:"none,omitempty"`
	Error  string  `json:"error,omitempty"`
}

// ReadSamples reads an answer to its end. none is why there are no figures.
func ReadSamples(r io.Reader) (samples []Sample, none string, err error) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		var s struct {
			Sample
			Value *float64 `json:"value"`
		}
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			return nil, "", fmt.Errorf("answer %q: %w", lines.Text(), err)
		}
		switch {
		case s.Error != "":
			return nil, "", fmt.Errorf("contestant: %s", s.Error)
		case s.None != "":
			none = s.None
		case s.Metric == "":
			return nil, "", fmt.Errorf("answer %q names no metric", lines.Text())
		case s.Value == nil:
			return nil, "", fmt.Errorf("answer %q has no value", lines.Text())
		default:
			samples = append(samples, Sample{Metric: s.Metric, Value: *s.Value})
		}
	}
	if err := lines.Err(); err != nil {
		return nil, "", fmt.Errorf("answer: %w", err)
	}
	return samples, none, nil
}

// WriteSamples writes an answer.
func WriteSamples(w io.Writer, samples []Sample) error {
	enc := json.NewEncoder(w)
	for _, s := range samples {
		if err := enc.Encode(s); err != nil {
			return err
		}
	}
	return nil
}
