//go:build !linux

package keeper

// BeInit does nothing: there are no containers.
func BeInit() (code int, over bool, err error) { return 0, false, nil }
