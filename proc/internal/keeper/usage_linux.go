package keeper

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of CPU times in /proc: USER_HZ is 100 on every platform that Go
// runs on.
const tick = time.Second / 100

// add counts pid in, unless it has ended.
func (u *Usage) add(pid int) {
	dir := "/proc/" + strconv.Itoa(pid)
	b, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return
	}
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:])) // from the state on
	if len(f) < 22 {
		return
	}
	number := func(i int) int64 {
		n, _ := strconv.ParseInt(f[i], 10, 64)
		return n
	}
	u.Processes++
	u.CPU += time.Duration(number(11)+number(12)+number(13)+number(14)) * tick
	u.Threads += int(number(17))
	u.RSS += number(21) * int64(os.Getpagesize())
	if fds, err := os.ReadDir(dir + "/fd"); err == nil {
		u.Files += len(fds)
	}
}
