package main

import (
	"fmt"
	"os"
)

const (
	bold  = "\x1b[1m"
	red   = "\x1b[31m"
	green = "\x1b[32m"
	reset = "\x1b[0m"
)

// wantColor: on a terminal, unless NO_COLOR is set.
func wantColor(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

func (d *demo) paint(color, s string) string {
	if !d.color {
		return s
	}
	return color + s + reset
}

func (d *demo) say(format string, args ...any) { fmt.Printf(format+"\n", args...) }
