// Package sys is the one room in which shmkit speaks to the kernel: every raw
// system call, every kernel structure and every constant, and the only importer
// of golang.org/x/sys.
//
// Its functions are thin. They take and return Go values, answer with the raw
// errno, and decide nothing: no retry, no default, no message. EINTR is
// returned to the caller, who knows whether a deadline runs.
//
// Traps:
//
//   - golang.org/x/sys wraps shared memory only. The calls and layouts for
//     semaphores, message queues, IPC_INFO and stat-by-index are written here,
//     after include/uapi/linux/{ipc,sem,msg,shm}.h, and pinned by tests.
//   - struct semid64_ds differs between amd64 and arm64: x86 keeps an unused
//     word after each of the two times. The other structures are the same on
//     every 64-bit Linux.
//   - Calls that can block go through Syscall6, never RawSyscall: a thread that
//     blocks in a raw call stalls the garbage collector.
package sys
