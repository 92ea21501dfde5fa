package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Shmget is shmget(2). The size is never cut: it is size_t in the kernel too.
func Shmget(key int32, size uint64, flags int) (int, error) {
	r, _, e := unix.Syscall(unix.SYS_SHMGET, uintptr(key), uintptr(size), uintptr(flags))
	if e != 0 {
		return -1, e
	}
	return int(r), nil
}

// Shmat is shmat(2); addr 0 lets the kernel choose.
func Shmat(id int, addr uintptr, flags int) (uintptr, error) {
	r, _, e := unix.Syscall(unix.SYS_SHMAT, uintptr(id), addr, uintptr(flags))
	if e != 0 {
		return 0, e
	}
	return r, nil
}

// Shmdt is shmdt(2).
func Shmdt(addr uintptr) error {
	_, _, e := unix.Syscall(unix.SYS_SHMDT, addr, 0, 0)
	return errnoErr(e)
}

func shmctl(id, cmd int, arg unsafe.Pointer) (int, error) {
	r, _, e := unix.Syscall(unix.SYS_SHMCTL, uintptr(id), uintptr(cmd), uintptr(arg))
	if e != 0 {
		return -1, e
	}
	return int(r), nil
}

// ShmStat fills ds with IPC_STAT (id is an identifier), SHM_STAT or
// SHM_STAT_ANY (id is an index). The last two return the identifier.
func ShmStat(id, cmd int, ds *ShmidDS) (int, error) { return shmctl(id, cmd, unsafe.Pointer(ds)) }

// ShmSet is shmctl(IPC_SET): owner, group and permission bits of ds count.
func ShmSet(id int, ds *ShmidDS) error {
	_, err := shmctl(id, IPC_SET, unsafe.Pointer(ds))
	return err
}

// ShmRemove is shmctl(IPC_RMID).
func ShmRemove(id int) error { return ShmControl(id, IPC_RMID) }

// ShmControl is shmctl with a command that takes no argument: IPC_RMID,
// SHM_LOCK, SHM_UNLOCK.
func ShmControl(id, cmd int) error {
	_, err := shmctl(id, cmd, nil)
	return err
}

// ShmLimits is shmctl(IPC_INFO). It returns the highest index in use.
func ShmLimits(info *Shminfo) (int, error) { return shmctl(0, IPC_INFO, unsafe.Pointer(info)) }

// ShmUsage is shmctl(SHM_INFO). It returns the highest index in use.
func ShmUsage(use *ShmUse) (int, error) { return shmctl(0, SHM_INFO, unsafe.Pointer(use)) }
