package keeper

import "golang.org/x/sys/unix"

// place is a directory, and the mount by which one gets there. The zero value is not
// known. As long as a process is in it, it is no other's.
type place struct{ device, inode, mount uint64 }

// here is where this process is.
func here() place {
	var s unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, ".", unix.AT_STATX_DONT_SYNC, unix.STATX_INO|unix.STATX_MNT_ID, &s)
	if err != nil || s.Mask&unix.STATX_MNT_ID == 0 {
		return place{}
	}
	return place{unix.Mkdev(s.Dev_major, s.Dev_minor), s.Ino, s.Mnt_id}
}

func (m *message) place(p place) {
	m.uint(p.device)
	m.uint(p.inode)
	m.uint(p.mount)
}

func (m *message) readPlace() place { return place{m.readUint(), m.readUint(), m.readUint()} }
