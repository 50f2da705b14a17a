//go:build !unix

package runner

import "os/exec"

// ownGroup does nothing: what the process has started is not killed with it.
func ownGroup(*exec.Cmd) {}
