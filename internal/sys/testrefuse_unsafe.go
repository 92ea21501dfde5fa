package sys

import (
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Commands of fcntl(2) for RefuseFcntl.
const (
	FcntlSetLock  = unix.F_OFD_SETLK
	FcntlTestLock = unix.F_OFD_GETLK
)

// RefuseFcntl makes fcntl(2) with any of these commands fail with errno, for as long as this
// process lives and in whatever it executes: a seccomp filter, which needs no privilege.
// It is for tests of what the kernel answers too seldom.
func RefuseFcntl(errno syscall.Errno, commands ...int) error {
	const numberAt, archAt, secondArgumentAt = 0, 4, 24 // in struct seccomp_data; both architectures are little-endian
	arch := uint32(unix.AUDIT_ARCH_X86_64)
	if runtime.GOARCH == "arm64" {
		arch = unix.AUDIT_ARCH_AARCH64
	}
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	is := func(k uint32, yes, no int) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: uint8(yes), Jf: uint8(no), K: k}
	}
	n := len(commands)
	filter := []unix.SockFilter{load(archAt), is(arch, 0, n+3), load(numberAt), is(unix.SYS_FCNTL, 0, n+1), load(secondArgumentAt)}
	for i, c := range commands {
		filter = append(filter, is(uint32(c), n-i, 0))
	}
	filter = append(filter,
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(errno)})
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}

	runtime.LockOSThread() // which all threads follow
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if _, _, e := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program))); e != 0 {
		return e
	}
	return nil
}

// SetFileLockLimit sets the soft RLIMIT_LOCKS of this process, which Linux counts no locks
// against since 2.4.25.
func SetFileLockLimit(n uint64) error {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_LOCKS, &l); err != nil {
		return err
	}
	l.Cur = n
	return unix.Setrlimit(unix.RLIMIT_LOCKS, &l)
}
