package proc_test

import (
	"os"
	"syscall"
)

func newSession() *syscall.SysProcAttr { return nil }

func dieBy(syscall.Signal) { os.Exit(1) }
