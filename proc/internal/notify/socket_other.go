//go:build !linux

package notify

import (
	"errors"
	"time"
)

// There is no notify socket here: Validate refuses what needs one.

var ErrNone = errors.ErrUnsupported

type Socket struct{ Name string }

func Listen() (*Socket, error) { return nil, errors.ErrUnsupported }

func (*Socket) Close()             {}
func (*Socket) Deadline(time.Time) {}

func (*Socket) Receive(bool, func(string, bool, Sender)) error { return errors.ErrUnsupported }

func Monotonic() uint64 { return 0 }
