package tree

import (
	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/tree/internal/machine"
)

// reason is the supervisor's end as its parent reads it.
func (s *supervisor) reason() actor.End {
	end := actor.End{Class: actor.ClassShutdown, Err: s.err()}
	switch {
	case s.outcome == nil || s.outcome.Abnormal:
		end.Class = actor.ClassAbnormal
	case !s.up && s.outcome.Rule != machine.ByRequest:
		end.Class = actor.ClassStartFailed
	}
	return end
}

// stoppedStarting tells that it ended because it was asked to, before it was up.
func (s *supervisor) stoppedStarting() bool {
	return !s.up && s.outcome != nil && s.outcome.Rule == machine.ByRequest
}

// err is why the supervisor ended; nil if it was asked to, or all was done.
func (s *supervisor) err() error {
	switch o := s.outcome; {
	case o == nil:
		return &GaveUpError{Path: s.path, Rule: RuleEscalate, Err: ErrSupervisorStopped}
	case o.Rule == machine.ByStart:
		return &StartError{Path: s.path + "/" + o.Child, Err: o.Err}
	case o.Rule == machine.BySignificance:
		if o.Err == nil {
			return nil
		}
		return &GaveUpError{Path: s.path, Child: s.path + "/" + o.Child, Rule: RuleAutoShutdown, Err: o.Err}
	case o.Rule == machine.ByRequest && s.up:
		return nil
	case o.Rule == machine.ByRequest:
		return ErrSupervisorStopped
	}
	o := s.outcome
	return &GaveUpError{
		Path: s.path, Child: s.path + "/" + o.Child, Rule: Rule(o.Rule), Used: o.Used,
		Intensity: s.spec.Intensity.WithDefaults(), Err: o.Err,
	}
}
