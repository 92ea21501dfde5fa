package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// MqAttr is struct mq_attr of <linux/mqueue.h>.
type MqAttr struct {
	Flags       int64 // O_NONBLOCK or 0
	MaxMessages int64
	MessageSize int64 // bytes at most
	Messages    int64 // in the queue now
	_           [4]int64
}

// MqCreate makes a POSIX message queue that must not exist, and opens it for reading and writing; close on
// exec. The name has no slash. EMFILE: RLIMIT_MSGQUEUE; EINVAL: more than fs.mqueue.msg_max or msgsize_max.
func MqCreate(name string, mode uint32, a MqAttr) (fd int, err error) {
	p, err := unix.BytePtrFromString(name)
	if err != nil {
		return -1, err
	}
	r, _, e := unix.Syscall6(unix.SYS_MQ_OPEN, uintptr(unsafe.Pointer(p)), unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC,
		uintptr(mode), uintptr(unsafe.Pointer(&a)), 0, 0)
	if e != 0 {
		return -1, e
	}
	return int(r), nil
}

// MqUnlink is mq_unlink(3).
func MqUnlink(name string) error {
	p, err := unix.BytePtrFromString(name)
	if err != nil {
		return err
	}
	_, _, e := unix.Syscall(unix.SYS_MQ_UNLINK, uintptr(unsafe.Pointer(p)), 0, 0)
	return errnoErr(e)
}

// MqSend is mq_send(3), of priority 0. It blocks if the queue is full, or fails with EAGAIN.
func MqSend(fd int, message []byte) error {
	_, _, e := unix.Syscall6(unix.SYS_MQ_TIMEDSEND, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(message))), uintptr(len(message)), 0, 0, 0)
	return errnoErr(e)
}

// MqReceive is mq_receive(3). buf must be as long as the longest message there can be (EMSGSIZE).
func MqReceive(fd int, buf []byte) (int, error) {
	r, _, e := unix.Syscall6(unix.SYS_MQ_TIMEDRECEIVE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(buf))), uintptr(len(buf)), 0, 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(r), nil
}
