package proc_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// leftovers are the children of this program, zombies too, and the living
// processes that carry its mark. What is just ending is given time to.
func leftovers() (list []string) {
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if list = look(); len(list) == 0 || time.Now().After(end) {
			return list
		}
	}
}

func look() (list []string) {
	me := strconv.Itoa(os.Getpid())
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		pid := filepath.Base(dir)
		if pid == me {
			continue
		}
		environ, _ := os.ReadFile(dir + "/environ")
		_, _, parent, _ := status(pid)
		if parent == me || bytes.Contains(append([]byte{0}, environ...), []byte("\x00"+markEnv+"="+me+"\x00")) {
			line, _ := os.ReadFile(dir + "/cmdline")
			list = append(list, fmt.Sprintf("pid %s: %q", pid, line))
		}
	}
	return list
}

// status reads /proc/PID/stat; ok is false if there is no such process.
func status(pid string) (state, group, parent string, ok bool) {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return "", "", "", false
	}
	f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	return f[0], f[2], f[1], true
}

// alive tells whether there is such a process, and it is no zombie.
func alive(pid string) bool {
	state, _, _, ok := status(pid)
	return ok && state != "Z" && state != "X"
}
