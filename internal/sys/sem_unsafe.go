package sys

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Semget is semget(2).
func Semget(key int32, n, flags int) (int, error) {
	r, _, e := unix.Syscall(unix.SYS_SEMGET, uintptr(key), uintptr(n), uintptr(flags))
	if e != 0 {
		return -1, e
	}
	return int(r), nil
}

// Semop is semop(2): all of ops in one atomic step. It blocks, and answers
// EINTR whenever a signal arrives meanwhile, whatever SA_RESTART says.
func Semop(id int, ops []Sembuf) error {
	_, _, e := unix.Syscall(unix.SYS_SEMOP, uintptr(id), uintptr(unsafe.Pointer(unsafe.SliceData(ops))), uintptr(len(ops)))
	return errnoErr(e)
}

// Semtimedop is semtimedop(2): EAGAIN after the timeout, which is measured on
// the monotonic clock. A negative timeout is EINVAL.
func Semtimedop(id int, ops []Sembuf, timeout time.Duration) error {
	ts := unix.NsecToTimespec(int64(timeout))
	return SemtimedopSpec(id, ops, ts.Sec, ts.Nsec)
}

// SemtimedopSpec is Semtimedop with the timespec as it is handed to the kernel.
func SemtimedopSpec(id int, ops []Sembuf, sec, nsec int64) error {
	ts := [2]int64{sec, nsec}
	_, _, e := unix.Syscall6(unix.SYS_SEMTIMEDOP, uintptr(id), uintptr(unsafe.Pointer(unsafe.SliceData(ops))), uintptr(len(ops)),
		uintptr(unsafe.Pointer(&ts)), 0, 0)
	return errnoErr(e)
}

func semctl(id, num, cmd int, arg uintptr) (int, error) {
	r, _, e := unix.Syscall6(unix.SYS_SEMCTL, uintptr(id), uintptr(num), uintptr(cmd), arg, 0, 0)
	if e != 0 {
		return -1, e
	}
	return int(r), nil
}

func semctlPtr(id, num, cmd int, arg unsafe.Pointer) (int, error) {
	r, _, e := unix.Syscall6(unix.SYS_SEMCTL, uintptr(id), uintptr(num), uintptr(cmd), uintptr(arg), 0, 0)
	if e != 0 {
		return -1, e
	}
	return int(r), nil
}

// SemGet is semctl with one of GETVAL, GETPID, GETNCNT and GETZCNT.
func SemGet(id, num, cmd int) (int, error) { return semctl(id, num, cmd, 0) }

// SemSetVal is semctl(SETVAL). The kernel takes a C int.
func SemSetVal(id, num int, value int32) error {
	_, err := semctl(id, num, SETVAL, uintptr(value))
	return err
}

// SemGetAll is semctl(GETALL). values must hold one entry for each semaphore of
// the set: the kernel writes that many whatever the length says.
func SemGetAll(id int, values []uint16) error {
	_, err := semctlPtr(id, 0, GETALL, unsafe.Pointer(unsafe.SliceData(values)))
	return err
}

// SemSetAll is semctl(SETALL); see SemGetAll for the length.
func SemSetAll(id int, values []uint16) error {
	_, err := semctlPtr(id, 0, SETALL, unsafe.Pointer(unsafe.SliceData(values)))
	return err
}

// SemStat fills ds with IPC_STAT (id is an identifier), SEM_STAT or
// SEM_STAT_ANY (id is an index). The last two return the identifier.
func SemStat(id, cmd int, ds *SemidDS) (int, error) { return semctlPtr(id, 0, cmd, unsafe.Pointer(ds)) }

// SemSet is semctl(IPC_SET): owner, group and permission bits of ds count.
func SemSet(id int, ds *SemidDS) error {
	_, err := semctlPtr(id, 0, IPC_SET, unsafe.Pointer(ds))
	return err
}

// SemControl is semctl with a command that takes no argument.
func SemControl(id, cmd int) error {
	_, err := semctl(id, 0, cmd, 0)
	return err
}

// SemRemove is semctl(IPC_RMID).
func SemRemove(id int) error { return SemControl(id, IPC_RMID) }

// SemLimits is semctl with IPC_INFO or SEM_INFO. It returns the highest index
// in use.
func SemLimits(cmd int, info *Seminfo) (int, error) {
	return semctlPtr(0, 0, cmd, unsafe.Pointer(info))
}
