package sys

import "golang.org/x/sys/unix"

// Flags and commands common to the three System V mechanisms; <linux/ipc.h>.
const (
	IPC_CREAT  = 0o1000 // create if the key does not exist
	IPC_EXCL   = 0o2000 // fail if the key exists
	IPC_NOWAIT = 0o4000 // return EAGAIN instead of blocking

	IPC_RMID = 0
	IPC_SET  = 1
	IPC_STAT = 2
	IPC_INFO = 3
)

// IPCPerm is struct ipc64_perm: who owns an IPC object and who may use it.
type IPCPerm struct {
	Key  int32
	UID  uint32
	GID  uint32
	CUID uint32
	CGID uint32
	Mode uint32 // permission bits, and for segments SHM_DEST and SHM_LOCKED
	Seq  uint16
	_    uint16
	_    uint32
	_    uint64
	_    uint64
}

// errnoErr turns the errno of a system call into an error; 0 is nil.
func errnoErr(e unix.Errno) error {
	if e == 0 {
		return nil
	}
	return e
}
