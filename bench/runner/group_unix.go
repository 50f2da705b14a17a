//go:build unix

package runner

import (
	"os/exec"
	"syscall"
)

// ownGroup keeps a Ctrl-C for the runner from the process, and has it killed with
// all that it has started.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
