package machine

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The traces under testdata are what the real OTP supervisor did; their README
// tells the format. They are played here against a tree of machines, without
// goroutines or a clock. Report lines are not compared.

type otpCase struct {
	Name  string
	Tree  *otpSpec
	Steps []otpStep
	Trace []otpEvent
}

type otpSpec struct {
	Kind, ID, Strategy, Restart string
	Intensity, Period           *int
	AutoShutdown                string `json:"auto_shutdown"`
	Significant, Shutdown       any
	NoStart                     bool `json:"no_start"`
	Children                    []*otpSpec
	Template                    *otpSpec
	Start                       []string
	Stop                        struct {
		Mode string
		MS   int
	}
	StopExit string `json:"stop_exit"`

	k int // invocations of the start function
}

type otpStep struct {
	Op, Path, Reason, Hold, Force, Sup, ID string
	MS                                     int
	Spec                                   *otpSpec
	Queue                                  []otpStep
}

// otpEvent is a line of a trace, as JSON reads it.
type otpEvent map[string]any

// String is the event with its fields in order.
func (e otpEvent) String() string {
	text, err := json.Marshal(e)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func TestOTPTraces(t *testing.T) {
	files := []string{"suite.jsonl", "random.jsonl"}
	for i, name := range files {
		files[i] = filepath.Join("..", "..", "testdata", "otp", name)
	}
	if name := os.Getenv("OTP_VECTORS"); name != "" {
		files = []string{name}
	}
	for _, name := range files {
		f, err := os.Open(name)
		require.NoError(t, err)
		defer f.Close()
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 16<<20)
		for lines.Scan() {
			var c otpCase
			require.NoError(t, json.Unmarshal(lines.Bytes(), &c))
			t.Run(c.Name, func(t *testing.T) { playOTP(t, &c) })
		}
		require.NoError(t, lines.Err())
	}
}

func playOTP(t *testing.T, c *otpCase) {
	p := newPlayer(c.Tree)
	p.play(c.Steps)
	want, got := p.normalise(c.Trace), p.normalise(p.trace)
	for i := range max(len(want), len(got)) {
		if at(want, i) != at(got, i) {
			t.Fatalf("differs at line %d:\n%s", i, sideBySide(want, got, i))
		}
	}
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(none)"
}

// sideBySide shows what led to the difference, and what came after it.
func sideBySide(want, got []string, i int) string {
	var b strings.Builder
	for n := max(0, i-12); n < i; n++ {
		fmt.Fprintf(&b, "        %s\n", at(want, n))
	}
	for n := i; n < i+6; n++ {
		fmt.Fprintf(&b, "  OTP   %s\n  here  %s\n", at(want, n), at(got, n))
	}
	return b.String()
}

// normalise leaves reports out, and puts exits of one dynamic supervisor's
// children that follow each other in order.
func (p *player) normalise(trace []otpEvent) []string {
	var lines []string
	begin, parent := 0, ""
	flush := func() {
		slices.Sort(lines[begin:])
		begin, parent = len(lines), ""
	}
	for _, e := range trace {
		if e["t"] == "report" {
			continue
		}
		path, _ := e["path"].(string)
		dir, base := filepath.Split(path)
		instance := e["t"] == "exit" && strings.HasPrefix(base, "#")
		if !instance || dir != parent {
			flush()
		}
		lines = append(lines, e.String())
		if instance {
			parent = dir
		} else {
			begin = len(lines)
		}
	}
	flush()
	return lines
}
