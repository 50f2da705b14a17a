package proc_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/coppice-go/coppice/proc"
)

func init() {
	more = map[string]func(string){
		"keep":   keep,
		"files":  func(string) { becomeShell(openHere) },
		"status": func(string) { becomeShell(inheritedHere) },
		"burn":   burn,
		"eat":    eat,
		"linger": linger,
	}
}

// keep runs this program as a Command does, without and with a starter.
func keep(steps string) {
	for _, umask := range []*fs.FileMode{nil, new(fs.FileMode(0o022))} {
		c := &proc.Command{Path: "/proc/self/exe", Args: strings.Split(steps, "|"), Umask: umask, Logger: silent, Stdout: os.Stdout, Stderr: os.Stderr}
		check(c.Serve(context.Background()))
	}
}

const (
	// openHere tells what is open, and opens nothing for that.
	openHere = `for i in {0..300}; do [ -L /proc/$$/fd/$i ] && open+=" $i"; done; echo $open`

	// inheritedHere tells what else a process inherits.
	inheritedHere = `grep -E '^(SigBlk|SigIgn|SigPnd|NoNewPrivs|Seccomp|Umask)' /proc/self/status
		grep -v -e Limit -e locks /proc/self/limits; cut -d' ' -f7 /proc/self/stat; cat /proc/self/oom_score_adj; nice; env | sort`
)

// becomeShell goes on as a program that is no Go program.
func becomeShell(script string) {
	check(syscall.Exec("/bin/bash", []string{"bash", "-c", script}, os.Environ()))
}

func burn(milliseconds string) {
	n, err := time.ParseDuration(milliseconds + "ms")
	check(err)
	for {
		var u syscall.Rusage
		check(syscall.Getrusage(syscall.RUSAGE_SELF, &u))
		if time.Duration(u.Utime.Nano()+u.Stime.Nano()) >= n {
			return
		}
	}
}

var eaten []byte

func eat(megabytes string) {
	var n int
	_, err := fmt.Sscan(megabytes, &n)
	check(err)
	eaten = make([]byte, n<<20)
	for i := 0; i < len(eaten); i += os.Getpagesize() {
		eaten[i] = 1
	}
}
