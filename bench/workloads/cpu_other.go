//go:build !unix

package workloads

import "time"

// cpuTime is not known here.
func cpuTime() time.Duration { return 0 }
