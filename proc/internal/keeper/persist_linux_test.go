package keeper

import (
	"context"
	"errors"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// short is a parent that lacks something for so many starts.
type short struct {
	parent
	err   error
	times int
	tried func()
}

func (s *short) start(ctx context.Context, id uint64, spec Spec, ended func(End)) (int, error) {
	s.tried()
	if s.times > 0 {
		s.times--
		return 0, s.err
	}
	return s.parent.start(ctx, id, spec, ended)
}

func TestPersist(t *testing.T) {
	spec := Spec{Path: "/bin/true", Args: []string{"true"}}
	for _, short := range []syscall.Errno{syscall.EAGAIN, syscall.ENOMEM} {
		for lacks, want := range map[int]int{0: 1, 1: 2, 3: 4, 4: 4} {
			tries, err := persist(t, context.Background(), spec, short, lacks)
			require.Equal(t, want, tries)
			if lacks < 4 {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, short)
				require.ErrorContains(t, err, "fork/exec /bin/true")
			}
		}
	}
	tries, err := persist(t, context.Background(), spec, syscall.EPERM, 2)
	require.Equal(t, 1, tries, "that does not pass")
	require.ErrorIs(t, err, syscall.EPERM)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	tries, err = persist(t, ended, spec, syscall.EAGAIN, 2)
	require.Zero(t, tries)
	require.ErrorIs(t, err, context.Canceled)
}

func persist(t *testing.T, ctx context.Context, spec Spec, err error, lacks int) (tries int, _ error) {
	defer Hold()()
	c := shell(t, "true") // so that there is a parent
	c.ended()
	c.Forget()
	shared.mu.Lock()
	shared.parent = &short{shared.parent, err, lacks, func() { tries++ }}
	shared.mu.Unlock()
	mayPass := func(err error) bool { return errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.ENOMEM) }
	p, err := Persist(ctx, spec, mayPass, noWarning(t))
	if err == nil {
		<-p.Ended()
		p.Forget()
	}
	return tries, err
}

// Where the control group is none after all, the start goes without, the
// starter's too.
func TestControlGroupThatIsNone(t *testing.T) {
	ks := newKids(false)
	ks.groups.close()
	ks.groups = &cgroups{dir: t.TempDir()}
	f := newForker()
	defer func() {
		f.close()
		<-f.done
	}()
	for _, setup := range []*Setup{nil, {Umask: 0o22}} {
		ended := make(chan End, 1)
		var err error
		f.do(func() {
			_, err = ks.start(1, Spec{Path: "/bin/true", Args: []string{"true"}, Setup: setup}, -1, nil, func(e End) { ended <- e })
		})
		require.NoError(t, err)
		require.Zero(t, (<-ended).Code)
		ks.forget(1)
	}
}
