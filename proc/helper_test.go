package proc_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/proc"
)

// helper is a Command that runs this binary, which plays the steps one after the
// other; see play. Without a step that ends it, it ends with code 0.
func helper(t testing.TB, steps ...string) *proc.Command {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	// The race detector sleeps for a second before a program's end.
	return &proc.Command{
		Path: self, Args: steps, Env: []string{helperEnv + "=1", "GORACE=atexit_sleep_ms=0"},
		Logger: slog.New(slog.DiscardHandler),
	}
}

// join writes steps as the value of a step that starts another process.
func join(steps ...string) string { return strings.Join(steps, "|") }

// more are steps that only some systems have.
var more map[string]func(value string)

// play is the helper program.
//
//	out=TEXT err=TEXT   a line of output
//	raw=TEXT            output without an end of line; \n, \r and \xNN as in Go
//	rawerr=TEXT         the same to stderr
//	lines=N             "line 1" to "line N"
//	long=N              N times x, and no end of line
//	wide=N              the same with 木
//	many=N              N bytes in lines of 100, as fast as possible; -1: for ever
//	ticks=FILE          lines "tick" until there is the file
//	flood               output for ever
//	env=KEY dir args    a line that tells it
//	touch=FILE          a file with the process's pid in it
//	until=FILE          wait for the file
//	ignore=N            ignore signal N
//	catch=N,TEXT,CODE   when signal N comes, a line of output and the end
//	spawn=STEPS         a process of the same group, which plays STEPS
//	setsid=STEPS        a process that leaves the group
//	tree=STEPS          a tree, with three processes that play STEPS
//	mess=N              a tree of processes that leave everything and sleep for N
//	die=N               the end by signal N
//	exit=N              the end
//	init                what an init is, if it is the first process
//	burden=N            N processes by os/exec, which leave orphans behind
//	copy                input to output
//	burn=N              N milliseconds of CPU time
//	eat=N               N MB of memory
//	keep=STEPS          a process that plays STEPS, by a Command; again, with a Umask
//	files               a line for each open file
//	status              lines of what the system tells of the process
//	shop=JSON           a tree of a shop's programs
//	listen=NET,ADDR     a socket that is listened at
//	http=ADDR           a server that answers 418
//	say=TEXT            a message to NOTIFY_SOCKET; \n and \xNN as in Go
//	barrier             wait until what was said is heard
//	give=N              N messages with 100 descriptors each
//	linger=PORT         READY=1, with a connection whose close would wait for ever
//	shout=TEXT          the message for ever
//	beat=N              WATCHDOG=1 for N milliseconds
//	pause=N             wait for N milliseconds
//	on=N,STEPS          when signal N comes, play STEPS
//	wait                for ever
func play(steps []string) {
	for _, step := range steps {
		verb, value, _ := strings.Cut(step, "=")
		number, _ := strconv.Atoi(value)
		switch verb {
		case "out":
			fmt.Println(value)
		case "err":
			fmt.Fprintln(os.Stderr, value)
		case "raw":
			_, _ = os.Stdout.WriteString(unquote(value))
		case "rawerr":
			_, _ = os.Stderr.WriteString(unquote(value))
		case "lines":
			var b bytes.Buffer
			for i := range number {
				fmt.Fprintf(&b, "line %d\n", i+1)
			}
			_, _ = os.Stdout.Write(b.Bytes())
		case "long":
			_, _ = os.Stdout.Write(bytes.Repeat([]byte("x"), number))
		case "wide":
			_, _ = os.Stdout.WriteString(strings.Repeat("木", number))
		case "many":
			b := bytes.Repeat(append(bytes.Repeat([]byte("x"), 99), '\n'), 1000)
			for n := 0; number < 0 || n < number; n += len(b) {
				_, _ = os.Stdout.Write(b)
			}
		case "ticks":
			for !exists(value) {
				fmt.Println("tick")
				time.Sleep(time.Millisecond)
			}
		case "flood":
			for {
				fmt.Println("flood flood flood flood")
			}
		case "env":
			fmt.Printf("%s=%s\n", value, os.Getenv(value))
		case "dir":
			dir, err := os.Getwd()
			check(err)
			fmt.Println("dir", dir)
		case "args":
			fmt.Printf("%q\n", os.Args[1:])
		case "touch":
			// Under another name first: who sees the file finds all of it.
			check(os.WriteFile(value+".new", []byte(strconv.Itoa(os.Getpid())), 0o600))
			check(os.Rename(value+".new", value))
		case "until":
			for !exists(value) {
				time.Sleep(time.Millisecond)
			}
		case "ignore":
			signal.Ignore(syscall.Signal(number))
		case "catch":
			catch(strings.Split(value, ","))
		case "spawn":
			spawn(value, nil)
		case "setsid":
			spawn(value, newSession())
		case "tree":
			playTree(strings.Split(value, "|"))
		case "mess":
			playMess(value)
		case "die":
			dieBy(syscall.Signal(number))
		case "exit":
			os.Exit(number)
		case "init":
			becomeInit()
		case "burden":
			burden(number)
		case "listen":
			network, address, _ := strings.Cut(value, ",")
			l, err := net.Listen(network, address)
			check(err)
			defer l.Close()
		case "http":
			l, err := net.Listen("tcp", value)
			check(err)
			go func() {
				check(http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })))
			}()
		case "copy":
			_, err := io.Copy(os.Stdout, os.Stdin)
			check(err)
		case "say":
			say(unquote(value))
		case "barrier":
			barrier()
		case "give":
			give(number)
		case "shout":
			for text := unquote(value); ; {
				say(text)
			}
		case "beat":
			for end := time.Now().Add(time.Duration(number) * time.Millisecond); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
				say("WATCHDOG=1")
			}
		case "pause":
			time.Sleep(time.Duration(number) * time.Millisecond)
		case "on":
			on(value)
		case "wait":
			time.Sleep(time.Hour)
		default:
			act := more[verb]
			if act == nil {
				check(fmt.Errorf("unknown step %q", step))
			}
			act(value)
		}
	}
	os.Exit(0)
}

func spawn(steps string, attr *syscall.SysProcAttr) {
	cmd := exec.Command(os.Args[0], strings.Split(steps, "|")...)
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = os.Stdout, os.Stderr, attr
	check(cmd.Start())
}

func catch(words []string) {
	number, err := strconv.Atoi(words[0])
	check(err)
	code, err := strconv.Atoi(words[2])
	check(err)
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.Signal(number))
	go func() {
		<-c
		fmt.Println(words[1])
		os.Exit(code)
	}()
}

func on(value string) {
	number, steps, _ := strings.Cut(value, ",")
	n, err := strconv.Atoi(number)
	check(err)
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.Signal(n))
	go func() {
		for range c {
			go play(strings.Split(steps, "|"))
		}
	}()
}

func unquote(text string) string {
	text, err := strconv.Unquote(`"` + text + `"`)
	check(err)
	return text
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "helper:", err)
		os.Exit(99)
	}
}

// is makes a step of a verb and a number.
func is[N ~int](verb string, n N) string { return fmt.Sprintf("%s=%d", verb, int(n)) }
