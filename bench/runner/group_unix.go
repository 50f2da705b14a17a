//go:build unix

package runner

import (
	"os/exec"
	"runtime"
	"syscall"
)

// runGroup runs it in a group of its own, which keeps a Ctrl-C for the runner from it,
// and leaves nothing behind of what it has started.
func runGroup(cmd *exec.Cmd) error {
	kill := func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.SysProcAttr, cmd.Cancel = &syscall.SysProcAttr{Setpgid: true}, kill
	endWithUs(cmd.SysProcAttr)
	runtime.LockOSThread() // "us" is the thread
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return err
	}
	goFirst(cmd.Process.Pid)
	err := cmd.Wait()
	_ = kill()
	return err
}
