package proc

import (
	"fmt"
	"os/user"
	"strconv"

	"github.com/coppice-go/coppice/proc/internal/keeper"
)

// account is whom a process runs as.
type account struct {
	keeper.Credential
	env []string // what a login would set
}

// account looks up User and Group; nil if neither is set.
func (c *Command) account() (*account, error) {
	if c.User == "" && c.Group == "" {
		return nil, nil
	}
	a := &account{}
	if c.User == "" {
		me, err := user.Current()
		if err != nil {
			return nil, fmt.Errorf("Group: who runs this program: %w", err)
		}
		if a.UID, err = number(me.Uid); err != nil {
			return nil, fmt.Errorf("Group: who runs this program: %w", err)
		}
	} else if err := a.lookup(c.User, c.Group != ""); err != nil {
		return nil, fmt.Errorf("User: %w", err)
	}
	if c.Group == "" {
		return a, nil
	}
	g, err := user.LookupGroup(c.Group)
	if err != nil {
		gid, notNumber := number(c.Group)
		if notNumber != nil {
			return nil, fmt.Errorf("Group: %w", err)
		}
		a.GID = gid
		return a, nil
	}
	if a.GID, err = number(g.Gid); err != nil {
		return nil, fmt.Errorf("Group: %w", err)
	}
	return a, nil
}

// lookup finds a user by name or number. A number that is nobody's will do if the
// group is known.
func (a *account) lookup(name string, hasGroup bool) error {
	u, err := user.Lookup(name)
	if err != nil {
		uid, notNumber := number(name)
		if notNumber != nil {
			return err
		}
		if u, err = user.LookupId(name); err != nil {
			if !hasGroup {
				return fmt.Errorf("%w, and Group is not set", err)
			}
			a.UID = uid
			return nil
		}
	}
	if a.UID, err = number(u.Uid); err != nil {
		return err
	}
	if a.GID, err = number(u.Gid); err != nil {
		return err
	}
	groups, err := u.GroupIds()
	if err != nil {
		return fmt.Errorf("groups of %s: %w", name, err)
	}
	for _, g := range groups {
		gid, err := number(g)
		if err != nil {
			return err
		}
		a.Groups = append(a.Groups, gid)
	}
	a.env = []string{"USER=" + u.Username, "LOGNAME=" + u.Username, "HOME=" + u.HomeDir}
	return nil
}

// noID is what the system calls take for "leave it".
const noID = 1<<32 - 1

func number(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err == nil && n == noID {
		err = fmt.Errorf("not an id: %d", n)
	}
	return uint32(n), err
}
