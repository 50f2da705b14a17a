package strategies

// States returns how many supervisors a knows, and how many children and alarms
// it keeps for them.
func (a *ActorStrategy) States() (supervisors, kids, alarms int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.states {
		s.mu.Lock()
		supervisors, kids, alarms = supervisors+1, kids+len(s.kids), alarms+len(s.alarms)
		s.mu.Unlock()
	}
	return supervisors, kids, alarms
}
