package sys

import "golang.org/x/sys/unix"

// O_PATH makes open(2) return a descriptor that only names the file.
const O_PATH = unix.O_PATH

// SetMemoryLockLimit sets the soft RLIMIT_MEMLOCK of this process, in bytes.
func SetMemoryLockLimit(n uint64) error {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &l); err != nil {
		return err
	}
	l.Cur = min(n, l.Max)
	return unix.Setrlimit(unix.RLIMIT_MEMLOCK, &l)
}

// DisableHugePages is prctl(PR_SET_THP_DISABLE): the kernel gives this process, and
// whatever it executes, memory page by page.
func DisableHugePages() error { return unix.Prctl(unix.PR_SET_THP_DISABLE, 1, 0, 0, 0) }

// Release returns the version of the running kernel, as in "6.18.44-generic".
func Release() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}
