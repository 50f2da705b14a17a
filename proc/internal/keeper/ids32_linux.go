//go:build 386 || arm

package keeper

import "golang.org/x/sys/unix"

// The calls of the older names take 16 bits of an id.
const (
	sysSetgroups = unix.SYS_SETGROUPS32
	sysSetresgid = unix.SYS_SETRESGID32
	sysSetresuid = unix.SYS_SETRESUID32
)
