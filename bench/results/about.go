package results

import (
	"bufio"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// About tells where, when and with what the figures were taken.
type About struct {
	CPU      string            `json:"cpu"`
	Cores    int               `json:"cores"`
	MemoryMB int               `json:"memory_mb,omitempty"`
	OS       string            `json:"os"` // with architecture
	Kernel   string            `json:"kernel,omitempty"`
	Go       string            `json:"go"`
	Versions map[string]string `json:"versions"` // of contestants and what they stand on
	Command  string            `json:"command"`
	Started  time.Time         `json:"started"`
	Took     string            `json:"took"`
	Partial  string            `json:"partial,omitempty"` // why it ended early
}

// Here is About this machine and program.
func Here() About {
	a := About{
		CPU: "unknown", Cores: runtime.GOMAXPROCS(0), OS: runtime.GOOS + "/" + runtime.GOARCH,
		Go: runtime.Version(), Versions: make(map[string]string), Started: time.Now().UTC().Truncate(time.Second),
	}
	if cpu := field("/proc/cpuinfo", "model name"); cpu != "" {
		a.CPU = cpu
	}
	if kb := field("/proc/meminfo", "MemTotal"); kb != "" {
		a.MemoryMB = kilobytes(kb) / 1024
	}
	if kernel, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		a.Kernel = strings.TrimSpace(string(kernel))
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Replace == nil {
				a.Versions[m.Path] = m.Version
			}
		}
	}
	return a
}

// AvailableMB is how much memory is free for use; 0 if that is not known.
func AvailableMB() int { return kilobytes(field("/proc/meminfo", "MemAvailable")) / 1024 }

// field finds a line "key : value".
func field(file, key string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if k, v, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func kilobytes(s string) (n int) {
	for _, c := range s {
		if c < '0' || c > '9' {
			break
		}
		n = n*10 + int(c-'0')
	}
	return n
}
