//go:build !linux

package proc_test

// leftovers cannot tell here.
func leftovers() []string { return nil }

func becomeInit() {}

func burden(int) {}
