package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Msgget is msgget(2).
func Msgget(key int32, flags int) (int, error) {
	r, _, e := unix.Syscall(unix.SYS_MSGGET, uintptr(key), uintptr(flags), 0)
	if e != 0 {
		return -1, e
	}
	return int(r), nil
}

// Msgsnd is msgsnd(2). buf starts with the type (MsgHeader bytes, host order);
// the rest is the text. It blocks, and answers EINTR whenever a signal arrives.
func Msgsnd(id int, buf []byte, flags int) error {
	if len(buf) < MsgHeader {
		return unix.EINVAL
	}
	_, _, e := unix.Syscall6(unix.SYS_MSGSND, uintptr(id), uintptr(unsafe.Pointer(unsafe.SliceData(buf))),
		uintptr(len(buf)-MsgHeader), uintptr(flags), 0, 0)
	return errnoErr(e)
}

// Msgrcv is msgrcv(2). It fills buf like Msgsnd takes it and returns the length
// of the text.
func Msgrcv(id int, buf []byte, typ int64, flags int) (int, error) {
	if len(buf) < MsgHeader {
		return 0, unix.EINVAL
	}
	r, _, e := unix.Syscall6(unix.SYS_MSGRCV, uintptr(id), uintptr(unsafe.Pointer(unsafe.SliceData(buf))),
		uintptr(len(buf)-MsgHeader), uintptr(typ), uintptr(flags), 0)
	if e != 0 {
		return 0, e
	}
	return int(r), nil
}

func msgctl(id, cmd int, arg unsafe.Pointer) (int, error) {
	r, _, e := unix.Syscall(unix.SYS_MSGCTL, uintptr(id), uintptr(cmd), uintptr(arg))
	if e != 0 {
		return -1, e
	}
	return int(r), nil
}

// MsgStat fills ds with IPC_STAT (id is an identifier), MSG_STAT or
// MSG_STAT_ANY (id is an index). The last two return the identifier.
func MsgStat(id, cmd int, ds *MsqidDS) (int, error) { return msgctl(id, cmd, unsafe.Pointer(ds)) }

// MsgSet is msgctl(IPC_SET): owner, group, permission bits and Qbytes of ds
// count.
func MsgSet(id int, ds *MsqidDS) error {
	_, err := msgctl(id, IPC_SET, unsafe.Pointer(ds))
	return err
}

// MsgControl is msgctl with a command that takes no argument.
func MsgControl(id, cmd int) error {
	_, err := msgctl(id, cmd, nil)
	return err
}

// MsgRemove is msgctl(IPC_RMID).
func MsgRemove(id int) error { return MsgControl(id, IPC_RMID) }

// MsgLimits is msgctl with IPC_INFO or MSG_INFO. It returns the highest index in
// use.
func MsgLimits(cmd int, info *Msginfo) (int, error) { return msgctl(0, cmd, unsafe.Pointer(info)) }
