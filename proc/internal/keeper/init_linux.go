package keeper

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// BeInit starts this program once more if it is the first process of a container,
// and is from then on what an init has to be: it passes signals on and buries
// whoever loses its parent. It returns when the other has ended, with the exit
// code for this one; over is false if this is not the first process.
func BeInit() (code int, over bool, err error) {
	if os.Getpid() != 1 {
		return 0, false, nil
	}
	signals := make(chan os.Signal, 64)
	signal.Notify(signals)
	program, err := os.StartProcess(self, os.Args, &os.ProcAttr{
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}, Sys: besideTerminal(),
	})
	if err != nil {
		signal.Stop(signals)
		return 0, false, err
	}
	go func() {
		for s := range signals {
			if s, ok := s.(syscall.Signal); ok && passedOn(s) {
				_ = syscall.Kill(program.Pid, s) // not reaped but when all is over
			}
		}
	}()
	return buryAll(program.Pid), true, nil
}

// besideTerminal gives the program a group of its own, so that what is typed is
// signalled to it once.
func besideTerminal() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if _, err := unix.IoctlGetInt(0, unix.TIOCGPGRP); err == nil {
		attr.Foreground, attr.Ctty = true, 0
	}
	return attr
}

// passedOn is false for what is this process's own affair.
func passedOn(s syscall.Signal) bool {
	switch s {
	case syscall.SIGCHLD, syscall.SIGURG, syscall.SIGPIPE, syscall.SIGTTIN, syscall.SIGTTOU:
		return false
	}
	return true
}

// buryAll reaps all there is until pid has ended, and returns its exit code, as a
// shell has it.
func buryAll(pid int) int {
	for {
		var status syscall.WaitStatus
		n, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case err == syscall.ECHILD:
			return 1 // it was taken away by a debugger
		case err != nil || n != pid:
		case status.Signaled():
			return 128 + int(status.Signal())
		default:
			return status.ExitStatus()
		}
	}
}
