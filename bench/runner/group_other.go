//go:build !unix

package runner

import "os/exec"

// runGroup runs it. What the process has started is not killed with it.
func runGroup(cmd *exec.Cmd) error { return cmd.Run() }
