package actor

import (
	"fmt"
	"syscall"
	"time"
)

// ExitStatus is how an operating system process ended.
type ExitStatus struct {
	Code   int            `json:"code"`             // -1 if a signal ended it
	Signal syscall.Signal `json:"signal,omitempty"` // 0 if it exited
	Core   bool           `json:"core,omitempty"`   // the signal dumped core

	User   time.Duration `json:"user_ns"`       // CPU time it and those it waited for have used,
	Sys    time.Duration `json:"sys_ns"`        // and what the system has used for them
	MaxRSS int64         `json:"max_rss_bytes"` // the most memory it had resident; 0 where that is not known
	Ran    time.Duration `json:"ran_ns"`        // from its start to its end
}

// String tells the code or the signal.
func (e ExitStatus) String() string {
	switch {
	case e.Signal == 0:
		return fmt.Sprintf("exit code %d", e.Code)
	case e.Core:
		return fmt.Sprintf("signal: %v (core dumped)", e.Signal)
	}
	return fmt.Sprintf("signal: %v", e.Signal)
}
