//go:build !linux

package proc

// keeper does nothing of what it does on Linux.
var keeper forker

type forker struct{}

func (forker) acquire() {}
func (forker) release() {}

func (forker) start(p *process) error {
	p.exec.SysProcAttr = ownGroup()
	p.wait = func() {}
	return p.exec.Start()
}
