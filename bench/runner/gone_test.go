package runner

import (
	"os"
	"strings"
)

// gone tells whether the process has ended, reaped or not.
func gone(pid string) bool {
	stat, err := os.ReadFile("/proc/" + strings.TrimSpace(pid) + "/stat")
	return err != nil || strings.Contains(string(stat), ") Z ")
}
