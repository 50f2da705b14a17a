package workloads

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"time"

	"github.com/coppice-go/coppice/bench/contest"
)

var startStop = &Workload{
	Name: "start-stop", N: "children", Children: true,
	About: "One supervisor starts n idle children, all of which are asked to stop and end at once. start: from before " +
		"the first line of the spec until the supervisor says that it has started and every child has entered its own " +
		"code. stop: from the call that stops the supervisor until it says that all have ended. A tree of 100 was " +
		"started and stopped before; the heap is new.",
	Metrics: []Metric{
		{Name: "start", Unit: "us/child", About: "time to start, by child", Plot: true},
		{Name: "stop", Unit: "us/child", About: "time to stop, by child", Plot: true},
	},
	Short: []int{10_000, 100_000}, Full: []int{10_000, 100_000, 1_000_000},
	Run: func(e *Env) error {
		if err := e.warm(contest.Spec{}); err != nil {
			return err
		}
		var c crowd
		spec := &contest.Spec{Children: idlers(e.N, &c)}
		runtime.GC()
		begin := time.Now()
		t, err := e.start(spec, &c)
		if err != nil {
			return err
		}
		e.each("start", time.Since(begin), e.N)
		begin = time.Now()
		if err := t.Stop(); err != nil {
			return err
		}
		e.each("stop", time.Since(begin), e.N)
		return ended(spec.Children...)
	},
}

var memory = &Workload{
	Name: "memory", N: "children", Children: true,
	About: "What n idle children under one supervisor add to the memory of a process that has collected its garbage, " +
		"the contestant's own spec included, names and what the workload itself knows of a child not. rss: resident set. " +
		"heap: objects on the heap. stack: of goroutines; Erlang has stack and heap of a process in one block, counted as heap.",
	Metrics: []Metric{
		{Name: "rss", Unit: "B/child", About: "resident set, by child", Plot: true},
		{Name: "heap", Unit: "B/child", About: "heap, by child"},
		{Name: "stack", Unit: "B/child", About: "stacks, by child"},
	},
	Short: []int{10_000, 100_000}, Full: []int{10_000, 100_000, 1_000_000},
	Run: func(e *Env) error {
		if err := e.warm(contest.Spec{}); err != nil {
			return err
		}
		var c crowd
		spec := &contest.Spec{Children: idlers(e.N, &c)}
		before, err := readUsage()
		if err != nil {
			return err
		}
		t, err := e.start(spec, &c)
		if err != nil {
			return err
		}
		after, err := readUsage()
		if err != nil {
			return err
		}
		n := float64(e.N)
		e.report("rss", (after.rss-before.rss)/n)
		e.report("heap", (after.heap-before.heap)/n)
		e.report("stack", (after.stack-before.stack)/n)
		runtime.KeepAlive(spec)
		return e.end(t)
	},
}

type usage struct{ rss, heap, stack float64 }

// errNoProc is no fault of the contestant.
var errNoProc = fmt.Errorf("%w on this system: it needs /proc", contest.ErrHasNone)

func readUsage() (u usage, err error) {
	debug.FreeOSMemory()
	debug.FreeOSMemory() // also what the first has only made free
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	metrics.Read(s)
	u.heap, u.stack = float64(s[0].Value.Uint64()), float64(s[1].Value.Uint64())
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return u, errNoProc
	}
	pages, err := strconv.Atoi(string(bytes.Fields(data)[1]))
	u.rss = float64(pages * os.Getpagesize())
	return u, err
}

var idle = &Workload{
	Name: "idle", N: "children", Children: true,
	About: "CPU time, user and system, that the process uses while n idle children are under one supervisor and nothing " +
		"happens, taken over the given length after half a second of rest.",
	Metrics: []Metric{{Name: "cpu", Unit: "ms per s", About: "CPU time in a second", Noise: 1}},
	Short:   []int{10_000}, Full: []int{100_000},
	Run: func(e *Env) error {
		var c crowd
		t, err := e.start(&contest.Spec{Children: idlers(e.N, &c)}, &c)
		if err != nil {
			return err
		}
		runtime.GC()
		time.Sleep(500 * time.Millisecond)
		begin, used := time.Now(), cpuTime()
		time.Sleep(e.Length())
		e.report("cpu", float64(cpuTime()-used)/float64(time.Since(begin))*1e3)
		return e.end(t)
	},
}
