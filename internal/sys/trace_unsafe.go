package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// AllowTracing lets any process of this user trace this one, where the kernel asks (prctl(PR_SET_PTRACER)
// of the Yama module).
func AllowTracing() { _ = unix.Prctl(unix.PR_SET_PTRACER, ^uintptr(0), 0, 0, 0) }

// A Stop is why a traced thread stopped.
type Stop int

// Reasons.
const (
	StopOther   Stop = iota // something that is no signal
	StopCall                // it begins, or ends, a system call
	StopSignal              // it is about to get a signal
	StopStep                // it has carried out an instruction, see Step
	ThreadEnded             // it is no more
)

// A Tracer traces threads of other processes, ptrace(2), so that each of their system calls stops them. All
// its methods are called on one thread, that which its goroutine is locked to.
type Tracer struct{}

// Seize begins to trace a thread, which stops it (ESRCH: there is none, EPERM: not allowed).
func (Tracer) Seize(tid int) error {
	const options = unix.PTRACE_O_TRACESYSGOOD
	if _, _, e := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(tid), 0, options, 0, 0); e != 0 {
		return e
	}
	return unix.PtraceInterrupt(tid)
}

// Wait waits until any of the threads stops.
func (Tracer) Wait() (tid int, why Stop, signal int, err error) {
	var status unix.WaitStatus
	for {
		tid, err = unix.Wait4(-1, &status, unix.WALL, nil)
		if err != unix.EINTR {
			break
		}
	}
	switch {
	case err != nil:
		return 0, 0, 0, err
	case !status.Stopped():
		return tid, ThreadEnded, 0, nil
	case status.StopSignal() == unix.SIGTRAP|0x80:
		return tid, StopCall, 0, nil
	case status>>16 != 0: // PTRACE_EVENT_STOP and the like
		return tid, StopOther, 0, nil
	}
	if s := status.StopSignal(); s != unix.SIGTRAP {
		return tid, StopSignal, int(s), nil
	}
	return tid, StopStep, 0, nil
}

// Step lets a stopped thread carry out one instruction, or one system call.
func (Tracer) Step(tid int) error { return unix.PtraceSingleStep(tid) }

// Go lets a stopped thread go on until its next system call, with the signal that it was about to get, if any.
func (Tracer) Go(tid, signal int) error { return unix.PtraceSyscall(tid, signal) }

// <linux/ptrace.h>
const (
	ptraceGetSyscallInfo = 0x420e
	syscallEntry         = 1 // in the first byte of struct ptrace_syscall_info
)

// Begins reports whether a thread that stopped for a system call is before it. Linux 5.3.
func (t Tracer) Begins(tid int) (bool, error) {
	op, _, err := t.callInfo(tid)
	return op == syscallEntry, err
}

// Pointer returns where the next instruction of a thread that stopped is. Linux 5.3.
func (t Tracer) Pointer(tid int) (uintptr, error) {
	_, at, err := t.callInfo(tid)
	return at, err
}

func (Tracer) callInfo(tid int) (op byte, at uintptr, err error) {
	var info struct {
		op   byte
		_    [7]byte
		at   uint64
		rest [72]byte
	}
	_, _, e := unix.Syscall6(unix.SYS_PTRACE, ptraceGetSyscallInfo, uintptr(tid), unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)), 0, 0)
	if e != 0 {
		return 0, 0, e
	}
	return info.op, uintptr(info.at), nil
}
