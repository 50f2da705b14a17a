//go:build !linux

package proc_test

import "errors"

func say(string) { check(errors.ErrUnsupported) }
func barrier()   { check(errors.ErrUnsupported) }
func give(int)   { check(errors.ErrUnsupported) }
