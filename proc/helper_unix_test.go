//go:build unix

package proc_test

import (
	"os"
	"syscall"
	"time"
)

func newSession() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

func dieBy(s syscall.Signal) {
	check(syscall.Kill(os.Getpid(), s))
	time.Sleep(time.Hour)
}
