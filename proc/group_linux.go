package proc

import (
	"bytes"
	"os"
	"strconv"
)

// onlyZombies looks at every process of the system. A member of the group that
// has ended and that its parent does not reap is no member any more. It looks
// twice, because a member may fork and end while it looks.
func onlyZombies(pgid int) bool {
	for range 2 {
		if !allZombies(pgid) {
			return false
		}
	}
	return true
}

func allZombies(pgid int) bool {
	dir, err := os.Open("/proc")
	if err != nil {
		return false
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return false
	}
	want := []byte(strconv.Itoa(pgid))
	for _, name := range names {
		if name[0] < '0' || name[0] > '9' {
			continue
		}
		stat, err := os.ReadFile("/proc/" + name + "/stat")
		if err != nil {
			continue
		}
		// pid (name) state ppid pgrp …, where the name may contain anything.
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(fields) > 2 && bytes.Equal(fields[2], want) && !bytes.Equal(fields[0], []byte("Z")) && !bytes.Equal(fields[0], []byte("X")) {
			return false
		}
	}
	return true
}
