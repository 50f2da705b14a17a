package keeper

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A process that has left its group and its session, has no environment, no open
// file and no parent is killed with whom it belongs to.
func TestKilledWithWhomItBelongsTo(t *testing.T) {
	both(t, func(t *testing.T) {
		daemon := `(env -i setsid sh -c "echo down >/dev/null; sleep $T & exec sleep $T" sh <&- >&- 2>&- &)`
		a, b := shell(t, daemon+`; echo up; sleep $T`), shell(t, daemon+`; echo up; sleep $T`)
		a.read()
		b.read()
		soon(t, func() bool { return sleepers() == 6 })
		require.NoError(t, a.Signal(syscall.SIGKILL, Leader))
		end := a.ended()
		require.Equal(t, syscall.SIGKILL, end.Signal)
		require.True(t, end.Left)
		require.False(t, a.Gone())
		a.kill()
		require.Equal(t, 3, sleepers(), "the other's live on")
		require.Empty(t, b.Ended())
		b.kill()
		require.Zero(t, sleepers())
	})
}

// Each scope gets the signal, and no one else.
func TestScopes(t *testing.T) {
	both(t, func(t *testing.T) {
		for scope, want := range map[Scope]string{Leader: "leader", Group: "group leader", Others: "others", All: "group leader others"} {
			c := shell(t, `say() { trap "echo $1; trap '' USR1" USR1; echo up; while :; do sleep 0.01; done; }
				say group & setsid sh -c "$(printf 'trap "echo others; trap \"\" USR1" USR1; echo up; while :; do sleep 0.01; done')" &
				say leader`)
			for range 3 {
				require.Equal(t, "up", c.read())
			}
			require.NoError(t, c.Signal(syscall.SIGUSR1, scope))
			var got []string
			for range strings.Fields(want) {
				got = append(got, c.read())
			}
			require.ElementsMatch(t, strings.Fields(want), got)
			c.kill()
			rest := make([]byte, 100)
			n, _ := c.out.Read(rest)
			require.Empty(t, string(rest[:n]))
		}
	})
}

func TestSignalWakesUpWhoIsStopped(t *testing.T) {
	both(t, func(t *testing.T) {
		c := shell(t, `trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.01; done`)
		c.read()
		require.NoError(t, syscall.Kill(c.PID, syscall.SIGSTOP))
		require.NoError(t, c.Signal(syscall.SIGTERM, Group))
		require.Equal(t, "bye", c.read())
		require.Equal(t, 3, c.ended().Code)
		c.kill()
		require.ErrorIs(t, c.Signal(syscall.SIGTERM, Group), ErrGone)
	})
}

func TestEnds(t *testing.T) {
	both(t, func(t *testing.T) {
		for script, want := range map[string]End{
			"exit 0":     {},
			"exit 255":   {Code: 255},
			"kill -9 $$": {Code: -1, Signal: syscall.SIGKILL},
			"kill -2 $$": {Code: -1, Signal: syscall.SIGINT},
		} {
			c := shell(t, script)
			end := c.ended()
			require.Positive(t, end.MaxRSS)
			require.Less(t, end.MaxRSS, int64(1<<30))
			end.User, end.Sys, end.MaxRSS = 0, 0, 0
			require.Equal(t, want, end)
			require.True(t, c.Gone())
			c.Forget()
		}
		c := shell(t, "i=0; while test $i -lt 30000; do i=$((i+1)); done")
		end := c.ended()
		require.Positive(t, end.User+end.Sys)
		c.Forget()
	})
}

func TestFailedStart(t *testing.T) {
	both(t, func(t *testing.T) {
		for _, c := range []struct {
			spec Spec
			want error
		}{
			{Spec{Path: "/no/such"}, fs.ErrNotExist},
			{Spec{Path: "/etc/passwd"}, fs.ErrPermission},
			{Spec{Path: "/bin/true", Dir: "/no/such"}, fs.ErrNotExist},
			{Spec{Path: "/bin/true", Dir: "/etc/passwd"}, syscall.ENOTDIR},
			{Spec{Path: "/bin/true", Args: []string{strings.Repeat("x", 1<<20)}}, syscall.E2BIG},
		} {
			_, err := Start(c.spec, noWarning(t))
			require.ErrorIs(t, err, c.want)
			var named *fs.PathError
			require.ErrorAs(t, err, &named)
		}
		many := make([]*os.File, maxFiles+1)
		for i := range many {
			many[i] = os.Stderr
		}
		_, err := Start(Spec{Path: "/bin/true", Files: many}, noWarning(t))
		require.ErrorContains(t, err, "more than 250 files")
	})
}

// What is long takes another way.
func TestLongAndMany(t *testing.T) {
	defer Hold()()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	files := make([]*os.File, maxFiles)
	for i := range files {
		files[i] = os.Stderr
	}
	files[1], files[200] = w, w
	long := strings.Repeat("long ", 20_000)
	env := []string{"A=" + long, "B=" + long, "C=\xff\xfe"}
	p, err := Start(Spec{Path: "/bin/bash", Args: []string{"bash", "-c", `echo ${#A} ${#B} ${#1} >&200; printf %s "$C"`, "x", long}, Env: env, Files: files}, noWarning(t))
	require.NoError(t, err)
	w.Close()
	<-p.Ended()
	b := make([]byte, 100)
	n, _ := r.Read(b)
	m, _ := r.Read(b[n:])
	require.Equal(t, "100000 100000 100000\n\xff\xfe", string(b[:n+m]))
	p.Forget()
}

// The directory of the program is the one it has now, even if it was removed.
func TestDirectoryOfTheProgram(t *testing.T) {
	defer Hold()()
	c := shell(t, "true")
	c.ended()
	c.Forget()
	dir := t.TempDir() + "/gone"
	require.NoError(t, os.Mkdir(dir, 0o700))
	t.Chdir(dir)
	c = shell(t, "pwd")
	require.Equal(t, dir, c.read())
	c.Forget()
	require.NoError(t, os.Remove(dir))
	p, err := Start(Spec{Path: "/bin/true", Args: []string{"true"}}, noWarning(t))
	require.NoError(t, err)
	<-p.Ended()
	require.Zero(t, p.End().Code)
	p.Forget()
}

func TestGuardianIsKilled(t *testing.T) {
	both(t, func(t *testing.T) {
		a, b := shell(t, "sleep $T & echo up; sleep $T"), shell(t, "echo up; exec sleep $T")
		a.read()
		b.read()
		guardian := parentOf(t, b.PID)
		require.NotEqual(t, os.Getpid(), guardian)
		require.NoError(t, syscall.Kill(guardian, syscall.SIGKILL))
		for _, c := range []*child{a, b} {
			require.ErrorIs(t, c.ended().Err, ErrLost)
			require.True(t, c.Gone())
			require.ErrorIs(t, c.Signal(syscall.SIGTERM, Group), ErrLost)
			c.Forget()
		}
		soon(t, func() bool { return sleepers() == 0 })
		c := shell(t, "echo up; exec sleep $T")
		c.read()
		require.NotEqual(t, guardian, parentOf(t, c.PID), "a new one")
		c.kill()
	})
}

// The guardian minds no signal that may come its way with the program's.
func TestGuardianIsSignalled(t *testing.T) {
	defer Hold()()
	c := shell(t, "echo up; exec sleep $T")
	c.read()
	guardian := parentOf(t, c.PID)
	for _, sig := range []syscall.Signal{
		syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGPIPE,
		syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM, syscall.SIGTSTP,
	} {
		require.NoError(t, syscall.Kill(guardian, sig))
	}
	again := shell(t, `trap; echo up; exec sleep $T`)
	require.Equal(t, "up", again.read(), "and passes none of it on")
	require.Equal(t, guardian, parentOf(t, again.PID))
	require.Empty(t, c.Ended())
	again.kill()
	c.kill()
}

// The last one to let go ends the guardian, and it takes along whatever is left.
func TestRelease(t *testing.T) {
	for _, cgroups := range []string{"", "off"} {
		t.Setenv("COPPICE_CGROUPS", cgroups)
		first, second := Hold(), Hold()
		c := shell(t, "(setsid sleep $T &); echo up; sleep $T")
		c.read()
		guardian := parentOf(t, c.PID)
		first()
		first()
		require.Empty(t, c.Ended())
		_, ok := readStat(guardian)
		require.True(t, ok)
		second()
		require.ErrorIs(t, c.ended().Err, ErrLost)
		_, ok = readStat(guardian)
		require.False(t, ok)
		require.Zero(t, sleepers())
	}
}

func TestNothingIsLeftInTheGuardian(t *testing.T) {
	both(t, func(t *testing.T) {
		c := shell(t, "echo up; exec sleep $T")
		c.read()
		guardian := parentOf(t, c.PID)
		run := func() {
			var wg sync.WaitGroup
			for range 10 {
				wg.Go(func() {
					for range 20 {
						p, err := Start(Spec{Path: "/bin/true", Args: []string{"true"}}, noWarning(t))
						if err != nil {
							t.Error(err)
							return
						}
						<-p.Ended()
						p.Forget()
					}
				})
			}
			wg.Wait()
		}
		run()
		before := openFiles(t, guardian)
		run()
		run()
		const spare = 1 // for the next process's group
		soon(t, func() bool { return openFiles(t, guardian) <= before+spare && len(childrenOf(guardian)) == 1 })
		c.kill()
	})
}

// What a process has left behind is buried when it ends, whether it was one or
// many, and before or after its parent.
func TestOrphansAreBuried(t *testing.T) {
	both(t, func(t *testing.T) {
		for _, orphans := range []string{"", "(true &)", "(sleep 0.01 &)", "for i in 1 2 3 4 5 6 7 8 9; do (sleep 0.00$i &); (setsid true &); done"} {
			c := shell(t, orphans+"\necho up\n"+orphans+"\nexec sleep $T")
			c.read()
			guardian := parentOf(t, c.PID)
			soon(t, func() bool { return slices.Equal(childrenOf(guardian), []int{c.PID}) })
			c.kill()
		}
	})
}

// Where no guardian can be started the program is the parent, and says so.
func TestNoGuardian(t *testing.T) {
	defer func(path string) { self = path }(self)
	for path, want := range map[string]error{"/no/such/program": fs.ErrNotExist, "/bin/true": nil} {
		self = path
		release := Hold()
		var warned error
		p, err := Start(Spec{Path: "/bin/sh", Args: []string{"sh", "-c", "sleep " + forever + " & exec sleep " + forever}}, func(err error) { warned = err })
		require.NoError(t, err)
		require.Error(t, warned)
		require.True(t, want == nil || errors.Is(warned, want))
		require.Equal(t, os.Getpid(), parentOf(t, p.PID))
		soon(t, func() bool { return sleepers() == 2 })
		require.NoError(t, p.Signal(syscall.SIGKILL, Leader))
		<-p.Ended()
		require.True(t, p.End().Left)
		require.False(t, p.Gone())
		(&child{Process: p, t: t}).kill()
		release()
	}
}

func TestGuardianNotWanted(t *testing.T) {
	t.Setenv("COPPICE_GUARDIAN", "off")
	both(t, func(t *testing.T) {
		c := shell(t, "echo up; sleep $T & exec sleep $T")
		c.read()
		require.Equal(t, os.Getpid(), parentOf(t, c.PID))
		c.kill()
	})
}

// A guardian that may open no more files says so, and nothing is lost.
func TestGuardianHasNoFilesLeft(t *testing.T) {
	both(t, func(t *testing.T) {
		c := shell(t, "echo up; exec sleep $T")
		c.read()
		guardian := parentOf(t, c.PID)
		var limit unix.Rlimit
		require.NoError(t, unix.Prlimit(guardian, unix.RLIMIT_NOFILE, nil, &limit))
		files := make([]*os.File, 20)
		for i := range files {
			files[i] = os.Stderr
		}
		long := strings.Repeat("x", maxPacket)
		for room := range uint64(25) {
			few := unix.Rlimit{Cur: uint64(openFiles(t, guardian)) + room, Max: limit.Max}
			require.NoError(t, unix.Prlimit(guardian, unix.RLIMIT_NOFILE, &few, nil))
			for _, arg := range []string{"short", long} {
				p, err := Start(Spec{Path: "/bin/true", Args: []string{"true", arg}, Files: files}, noWarning(t))
				if err == nil {
					<-p.Ended()
					p.Forget()
				} else {
					require.ErrorIs(t, err, syscall.EMFILE)
				}
			}
		}
		require.NoError(t, unix.Prlimit(guardian, unix.RLIMIT_NOFILE, &limit, nil))
		again := shell(t, "echo up; exec sleep $T")
		again.read()
		require.Equal(t, guardian, parentOf(t, again.PID))
		again.kill()
		c.kill()
	})
}
