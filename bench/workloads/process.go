package workloads

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/coppice-go/coppice/bench/contest"
)

// Spew is the hidden subcommand of the program that writes lines to stdout.
const Spew = "spew"

// lineLength is that of a line of output, newline included.
const lineLength = 80

var process = &Workload{
	Name: "process", N: "kills",
	About: "A process of the operating system, a shell that writes its pid to a pipe and becomes a sleep, is killed by " +
		"SIGKILL n times, 5 ms after its last start. Timed from the kill until the pid of the next one is read from " +
		"the pipe. start: from the call that starts the first one until its pid is read; the floor's is a bare " +
		"os/exec start, and its restart a loop around Start and Wait.",
	Metrics: []Metric{
		{Name: "p50", Unit: "us", About: "killed to running again, median"},
		{Name: "p99", Unit: "us", About: "the same, 99 of 100"},
		{Name: "start", Unit: "us", About: "the first start, of a process and what it takes"},
	},
	Short: []int{100}, Full: []int{500},
	Run: func(e *Env) error {
		p, ok := e.Adapter.(contest.Processes)
		if !ok {
			return contest.ErrHasNone
		}
		read, write, err := os.Pipe()
		if err != nil {
			return err
		}
		defer read.Close()
		defer write.Close()
		pids := bufio.NewReader(read)
		next := func() (*os.Process, error) {
			line, err := pids.ReadString('\n')
			if err != nil {
				return nil, err
			}
			pid, err := strconv.Atoi(strings.TrimSpace(line))
			if err != nil {
				return nil, err
			}
			return os.FindProcess(pid)
		}
		begin := time.Now()
		stop, err := p.Keep("/bin/sh", []string{"-c", "echo $$ >&3; exec sleep 1000 3>&-"}, write)
		if err != nil {
			return err
		}
		victim, err := next()
		if err != nil {
			return err
		}
		e.report("start", micros(time.Since(begin)))
		var took []float64
		for range e.N {
			time.Sleep(pace)
			begin := time.Now()
			if err := victim.Kill(); err != nil {
				return fmt.Errorf("kill: %w", err)
			}
			if victim, err = next(); err != nil {
				return err
			}
			took = append(took, micros(time.Since(begin)))
		}
		e.report("p50", median(took))
		e.report("p99", quantile(took, 0.99))
		return stop()
	},
}

var outputLines = &Workload{
	Name: "output-lines", N: "lines",
	About: "A process writes n lines of 80 bytes to stdout as fast as they are read. Each reaches a function of the " +
		"program as a line: through the child's Logger as a log record; the floor has a bufio.Scanner on the same " +
		"pipe. From the first until the process has ended.",
	Metrics: []Metric{{Name: "lines", Unit: "lines/s", About: "lines in a second"}},
	Short:   []int{500_000}, Full: []int{2_000_000},
	Run: func(e *Env) error {
		return e.output("lines", e.N, func(p contest.Processes, self string, args []string, some func(int)) error {
			return p.Lines(self, args, func() { some(1) })
		})
	},
}

var outputBytes = &Workload{
	Name: "output-bytes", N: "lines",
	About: "The same, but what reaches the program are bytes in pieces: through the child's Stdout; the floor has " +
		"os/exec with a writer as Stdout.",
	Metrics: []Metric{
		{Name: "bytes", Unit: "B/s", About: "bytes in a second"},
	},
	Short: []int{500_000}, Full: []int{2_000_000},
	Run: func(e *Env) error {
		return e.output("bytes", e.N*lineLength, contest.Processes.Bytes)
	},
}

// output lets a process write n lines, which run hands over piece by piece, and
// wants to have so much.
func (e *Env) output(metric string, want int, run func(p contest.Processes, self string, args []string, some func(int)) error) error {
	p, ok := e.Adapter.(contest.Processes)
	if !ok {
		return contest.ErrHasNone
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	got := 0
	var begin time.Time
	err = run(p, self, []string{Spew, strconv.Itoa(e.N)}, func(n int) {
		if got == 0 {
			begin = time.Now()
		}
		got += n
	})
	took := time.Since(begin)
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("output: %d %s of %d have come", got, metric, want)
	}
	e.report(metric, float64(got)/took.Seconds())
	return nil
}

// WriteLines is what the subcommand Spew does.
func WriteLines(n int) error {
	line := strings.Repeat("x", lineLength-1) + "\n"
	block := []byte(strings.Repeat(line, 64<<10/lineLength))
	for left := n * lineLength; left > 0; {
		k, err := os.Stdout.Write(block[:min(left, len(block))])
		if err != nil {
			return err
		}
		left -= k
	}
	return nil
}
