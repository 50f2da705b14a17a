package proc_test

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/proc"
	"github.com/coppice-go/coppice/tree"
)

// says runs a shell script with what change makes of it, and returns its output.
func says(t *testing.T, script string, change func(*proc.Command)) []string {
	t.Helper()
	var out strings.Builder
	c := &proc.Command{Path: "/bin/sh", Args: []string{"-c", script}, Stdout: &out, Logger: silent}
	change(c)
	require.NoError(t, c.Validate())
	require.NoError(t, serve(t, c).end())
	return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
}

func TestUmask(t *testing.T) {
	got := says(t, "umask", func(c *proc.Command) { c.Umask = new(fs.FileMode(0o137)) })
	require.Equal(t, []string{"0137"}, got)
}

func TestNiceAndOOMScore(t *testing.T) {
	got := says(t, "nice; cat /proc/self/oom_score_adj", func(c *proc.Command) { c.Nice, c.OOMScoreAdj = 7, new(321) })
	require.Equal(t, []string{"7", "321"}, got)
}

func TestLimits(t *testing.T) {
	got := says(t, "ulimit -Sn; ulimit -Hn; ulimit -c; ulimit -St", func(c *proc.Command) {
		c.Limits = map[proc.Resource]proc.Limit{
			proc.OpenFiles: {Soft: 123, Hard: 456}, proc.CoreSize: {}, proc.CPUTime: {Soft: 77, Hard: proc.Unlimited},
		}
	})
	require.Equal(t, []string{"123", "456", "0", "77"}, got)
}

// Too little for the starter itself, which has to get out all the same.
func TestSmallMemoryLimit(t *testing.T) {
	for _, r := range []proc.Resource{proc.AddressSpace, proc.DataSize} {
		got := says(t, "ulimit -v; ulimit -d", func(c *proc.Command) {
			c.Limits = map[proc.Resource]proc.Limit{r: {Soft: 16 << 20, Hard: 16 << 20}}
		})
		require.Contains(t, got, "16384", "%s", r)
	}
}

// The limit of files is as this program found it, not as Go raised it.
func TestLimitsAreOtherwiseInherited(t *testing.T) {
	var limits [2][]string
	for i := range limits {
		limits[i] = says(t, "cat /proc/self/limits | grep -v locks", func(c *proc.Command) { c.Nice = i })
	}
	without := func(lines []string) []string { return lines[1:] }
	require.Equal(t, without(limits[0]), without(limits[1]))
}

func TestSockets(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	f, err := os.Open("/etc/hostname")
	require.NoError(t, err)
	defer f.Close()
	got := says(t, `[ "$LISTEN_PID" = $$ ] && echo mine; echo $LISTEN_FDS $LISTEN_FDNAMES; readlink /proc/$$/fd/3; readlink /proc/$$/fd/4; ls /proc/$$/fd | wc -l`, func(c *proc.Command) {
		c.Sockets = []proc.Socket{{Name: "http", Source: l.(*net.TCPListener)}}
		c.Files = []*os.File{f}
	})
	require.Len(t, got, 5)
	require.Equal(t, "mine", got[0])
	require.Equal(t, "1 http", got[1])
	require.Contains(t, got[2], "socket:")
	require.Equal(t, "/etc/hostname", got[3])
	_, err = net.Dial("tcp", l.Addr().String())
	require.NoError(t, err, "the socket is the caller's still")
}

func TestUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can run a process as somebody else")
	}
	got := says(t, "id -un; id -gn; id -G; echo $HOME $USER; grep Groups /proc/self/status", func(c *proc.Command) { c.User = "nobody" })
	require.Equal(t, []string{"nobody", "nogroup", "65534"}, got[:3])
	require.True(t, strings.HasSuffix(got[3], " nobody"))
	got = says(t, "id -u; id -g; id -G", func(c *proc.Command) { c.User, c.Group = "12345", "54321" })
	require.Equal(t, []string{"12345", "54321", "54321"}, got)
	got = says(t, "id -u; id -gn", func(c *proc.Command) { c.Group = "daemon" })
	require.Equal(t, []string{"0", "daemon"}, got)

	c := helper(t)
	c.User = "nobody"
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o700))
	c.Path, c.Args = "/bin/true", nil
	c.Dir = dir
	err := notStarted(t, c)
	require.ErrorIs(t, err, fs.ErrPermission)
	require.ErrorContains(t, err, "enter directory as that user")
}

// A process of another user dies as any other.
func TestUserIsStopped(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can run a process as somebody else")
	}
	c := &proc.Command{
		Path: "/bin/sh", Args: []string{"-c", "trap '' TERM; setsid sleep 1000 & echo up; while :; do sleep 1000; done"},
		User: "nobody", Ready: proc.LogLine("up"), Logger: silent, Grace: glance,
	}
	w := start(t, tree.Child{Name: "p", Service: c})
	w.stop()
}

func TestSetupThatFails(t *testing.T) {
	c := &proc.Command{Path: "/bin/true", Limits: map[proc.Resource]proc.Limit{proc.OpenFiles: {Soft: 1, Hard: proc.Unlimited}}, Logger: silent}
	err := notStarted(t, c)
	require.ErrorIs(t, err, syscall.EPERM)
	require.ErrorContains(t, err, "set resource limit nofile")

	c = &proc.Command{Path: filepath.Join(t.TempDir(), "nosuch"), Nice: 1, Logger: silent}
	require.ErrorIs(t, notStarted(t, c), fs.ErrNotExist)
}

func TestStartErrorsSayWhy(t *testing.T) {
	dir := t.TempDir()
	script := func(name, text string, mode fs.FileMode) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), mode))
		return path
	}
	for _, x := range []struct {
		path string
		is   error
		says string
	}{
		{script("interp", "#!/no/such/python -u\nx\n", 0o755), fs.ErrNotExist, `its interpreter is missing: "/no/such/python -u"`},
		{script("mode", "#!/bin/sh\n", 0o644), fs.ErrPermission, "it is not executable"},
		{script("text", "hello\n", 0o755), syscall.ENOEXEC, "neither a program"},
		{dir, fs.ErrPermission, "it is a directory"},
	} {
		for _, nice := range []int{0, 1} { // also by the starter
			t.Run(fmt.Sprint(filepath.Base(x.path), nice), func(t *testing.T) {
				err := notStarted(t, &proc.Command{Path: x.path, Nice: nice, Logger: silent})
				require.ErrorIs(t, err, x.is)
				require.ErrorContains(t, err, x.says)
			})
		}
	}
	err := notStarted(t, &proc.Command{Path: "/bin/true", Args: []string{strings.Repeat("x", 1<<20)}, Logger: silent})
	require.ErrorIs(t, err, syscall.E2BIG)
	require.ErrorContains(t, err, "too long")
}

func many(n int) []*os.File { return slices.Repeat([]*os.File{os.Stdin}, n) }

func TestAsManyFilesAsMayBe(t *testing.T) {
	got := says(t, "ls /proc/$$/fd | grep -c .; [ -e /proc/$$/fd/249 ] && echo all", func(c *proc.Command) { c.Files = many(247) })
	require.Equal(t, "all", got[1])
}

func TestSetupThatIsNonsense(t *testing.T) {
	for field, change := range map[string]func(*proc.Command){
		"Umask":                       func(c *proc.Command) { c.Umask = new(fs.FileMode(0o1000)) },
		"Nice":                        func(c *proc.Command) { c.Nice = 41 },
		"OOMScoreAdj":                 func(c *proc.Command) { c.OOMScoreAdj = new(1001) },
		"Limits: no such":             func(c *proc.Command) { c.Limits = map[proc.Resource]proc.Limit{"x": {}} },
		"Limits: nofile: soft limit":  func(c *proc.Command) { c.Limits = map[proc.Resource]proc.Limit{proc.OpenFiles: {Soft: 1}} },
		"User: ":                      func(c *proc.Command) { c.User = "no-such-user" },
		"Group: ":                     func(c *proc.Command) { c.Group = "no-such-group" },
		"User: user: unknown userid ": func(c *proc.Command) { c.User = "54321" },
		"Files[0]: nil":               func(c *proc.Command) { c.Files = []*os.File{nil} },
		"Files: more than 247":        func(c *proc.Command) { c.Files = many(248) },
		"Sockets[0]: Source: nil":     func(c *proc.Command) { c.Sockets = []proc.Socket{{}} },
		"Sockets[0]: Name":            func(c *proc.Command) { c.Sockets = []proc.Socket{{Name: "a:b", Source: &net.TCPListener{}}} },
	} {
		c := &proc.Command{Path: "/bin/true"}
		change(c)
		require.ErrorContains(t, c.Validate(), field)
	}
}
