package keeper

import "time"

// Usage is what a process and all that descends from it use.
type Usage struct {
	Processes, Threads int
	Files              int           // open descriptors, of those that may be looked at
	RSS                int64         // resident bytes; what is shared counts for each
	CPU                time.Duration // of the living, and of those whose end they have seen
}

// Usage looks at each process.
func (p *Process) Usage() (Usage, error) {
	pids, err := p.parent.members(p.id)
	var u Usage
	for _, pid := range pids {
		u.add(pid)
	}
	return u, err
}
