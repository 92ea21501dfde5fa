package testenv

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
)

// OwnIPC gives a whole test binary, and all it starts, an IPC namespace of its own: when the
// last of them is gone, killed or not, the kernel removes what they made there. Who runs as
// root gets that; anybody else would need a user namespace, in which users are others than
// the tests take them for, and goes on where he is.
//
// Main does it. A TestMain that does something before that is not to be done twice, or hands
// shmtest.Main what makes System V objects, calls it first: the program begins anew, in the
// same process, so that who started it, waits for it or sends it signals notices nothing.
func OwnIPC() {
	if _, role := os.LookupEnv(envRole); role || os.Geteuid() != 0 {
		return
	}
	here, err := ipcNamespace()
	if err != nil {
		return // a kernel without
	}
	if outer, _, ok := ownIPC(); ok && outer != here {
		return
	}
	program, err := os.Executable()
	if err != nil {
		program = selfExe
	}
	// The namespace is the thread's that enters it; when that executes a program, the others
	// end. Locked for good: on an error it must not serve other goroutines.
	runtime.LockOSThread()
	if err := syscall.Unshare(syscall.CLONE_NEWIPC); err != nil {
		runtime.UnlockOSThread() // it is where it was
		return
	}
	err = os.Setenv(envOwnIPC, fmt.Sprintf("%s %d", here, os.Getpid()))
	if err == nil {
		err = syscall.Exec(program, os.Args, os.Environ())
	}
	fmt.Fprintf(os.Stderr, "testenv: in an IPC namespace of its own: %v\n", err)
	os.Exit(2)
}

// ownIPC returns the namespace outside and which process entered this one.
func ownIPC() (outer, pid string, ok bool) {
	return strings.Cut(os.Getenv(envOwnIPC), " ")
}

// madeOwnIPC reports whether it was this process: everything there is its own or its
// children's.
func madeOwnIPC() bool {
	outer, pid, ok := ownIPC()
	here, err := ipcNamespace()
	return ok && err == nil && outer != here && pid == fmt.Sprint(os.Getpid())
}
