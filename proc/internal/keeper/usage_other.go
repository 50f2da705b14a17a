//go:build !linux

package keeper

func (u *Usage) add(int) {}
