package keeper

import (
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// A process that has something to do to itself first is started as this program
// under the starter's name, which does it and then executes the program that is
// meant: after a fork, Go code can do nothing of the kind.
const (
	starterName = "coppice-starter"
	starterStep = "start the starter"
)

func init() {
	if len(os.Args) != 2 || os.Args[0] != starterName {
		return
	}
	fd, err := strconv.Atoi(os.Args[1])
	if err != nil || fd < 0 {
		return
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0); err != nil {
		return // it is not the order: somebody else likes the name
	}
	if !secure() {
		becomeOther(fd)
	}
	syscall.Exit(1)
}

// The steps, as a starter tells them to whoever started it.
const (
	stepOrder = iota + 1
	stepUmask
	stepNice
	stepOOM
	stepLimit
	stepGroups
	stepGID
	stepUID
	stepDir
	stepExec
)

var stepNames = [...]string{
	stepOrder: "read what to start", stepUmask: "set umask", stepNice: "set nice value", stepOOM: "set OOM score",
	stepLimit: "set resource limit", stepGroups: "set supplementary groups", stepGID: "set group", stepUID: "set user",
	stepDir: "enter directory as that user", stepExec: "exec",
}

// fault is how a starter failed.
type fault struct {
	step, index uint32
	errno       syscall.Errno
}

const faultSize = 12

// becomeOther does not return.
//
//go:norace
func becomeOther(fd int) {
	unix.CloseOnExec(fd)
	unix.CloseOnExec(fd + 1)
	last, f := follow(fd)
	if f.errno == 0 {
		f = last.limit()
	}
	if f.errno == 0 {
		f = last.become()
	}
	if f.errno == 0 {
		f = last.exec()
	}
	f.tell(fd + 1)
}

// follow carries an order out, up to its last steps.
func follow(fd int) (last lastSteps, f fault) {
	b, err := readFile(os.NewFile(uintptr(fd), "order"))
	m := &message{b: b}
	s := m.readSpec()
	if err != nil || m.bad || s.Setup == nil {
		return last, fault{stepOrder, 0, syscall.EIO}
	}
	for _, key := range s.Setup.PIDEnv {
		s.Env = slices.DeleteFunc(s.Env, func(e string) bool { return strings.HasPrefix(e, key+"=") })
		s.Env = append(s.Env, key+"="+strconv.Itoa(os.Getpid()))
	}
	if f = s.Setup.apply(); f.errno != 0 {
		return last, f
	}
	if last, err = s.lastSteps(); err != nil {
		return last, fault{stepExec, 0, errnoOf(err)}
	}
	_ = syscall.Exec("", nil, nil) // it only undoes what the runtime did to the limit of files
	runtime.GOMAXPROCS(1)          // from here on nobody else runs, as long as this goroutine does not give way
	return last, fault{}
}

// starterEnv is for a starter that is never preempted, and whose runtime writes
// nothing to where its output is another's.
func starterEnv() []string {
	env := slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "GODEBUG=") })
	return append(env, "GODEBUG=asyncpreemptoff=1")
}

func (s *Setup) apply() fault {
	if s.Umask >= 0 {
		syscall.Umask(s.Umask)
	}
	if s.Nice != 0 {
		now, err := unix.Getpriority(unix.PRIO_PROCESS, 0) // as the system call has it: 20 - nice
		if err == nil {
			err = unix.Setpriority(unix.PRIO_PROCESS, 0, 20-now+s.Nice)
		}
		if err != nil {
			return fault{stepNice, 0, errnoOf(err)}
		}
	}
	if s.OOMScoreAdj != nil {
		if err := os.WriteFile("/proc/self/oom_score_adj", []byte(strconv.Itoa(*s.OOMScoreAdj)), 0); err != nil {
			return fault{stepOOM, 0, errnoOf(err)}
		}
	}
	return fault{}
}

func errnoOf(err error) syscall.Errno {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return syscall.EIO
}

// forkStarter is fork for a process with a Setup: it returns when the program is
// executed, or could not be.
func forkStarter(s Spec, dir int, files []uintptr, cgroup int) (pid, pidfd int, err error) {
	m := &message{}
	m.spec(s)
	order, err := memfile(m.b)
	if err != nil {
		return 0, -1, err
	}
	defer unix.Close(order)
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return 0, -1, os.NewSyscallError("pipe", err)
	}
	defer unix.Close(pipe[0])
	starter := Spec{Path: self, Args: []string{starterName, strconv.Itoa(len(files))}, Env: starterEnv(), Dir: s.Dir}
	pid, pidfd, err = forkExec(starter, dir, append(slices.Clip(files), uintptr(order), uintptr(pipe[1])), cgroup)
	unix.Close(pipe[1])
	if err != nil {
		return 0, -1, &SetupError{Step: starterStep, Err: err}
	}
	if err = readFault(pipe[0]); err != nil {
		_, _ = syscall.Wait4(pid, nil, 0, nil)
		unix.Close(pidfd)
		return 0, -1, err
	}
	return pid, pidfd, nil
}

// readFault is nil when the other end was closed by an exec.
func readFault(fd int) error {
	var b [faultSize]byte
	n, err := unix.Read(fd, b[:])
	for err == unix.EINTR {
		n, err = unix.Read(fd, b[:])
	}
	if n != faultSize {
		return nil // had it died, that will be noticed as its end
	}
	step, index := binary.NativeEndian.Uint32(b[0:]), binary.NativeEndian.Uint32(b[4:])
	return faultError(uint64(step), int(index), syscall.Errno(binary.NativeEndian.Uint32(b[8:])))
}

// fault adds which step failed.
func (m *message) fault(err error) *message {
	var e *SetupError
	if errors.As(err, &e) {
		m.string(e.Step)
		m.uint(uint64(e.Limit))
	}
	return m
}

func (m *message) readFault(err error) error {
	if err == nil || len(m.b) == 0 {
		return err
	}
	return &SetupError{Step: m.readString(), Limit: int(m.readUint()), Err: err}
}

func faultError(step uint64, index int, err error) error {
	if step == stepExec || step == 0 || step >= uint64(len(stepNames)) {
		return err
	}
	return &SetupError{Step: stepNames[step], Limit: index, Err: err}
}
