package sys

import (
	"os"

	"golang.org/x/sys/unix"
)

// GovernsIPC reports whether capabilities of this process count for System V objects: they
// do if its user namespace is the one that owns its IPC namespace, or is above it.
func GovernsIPC() (bool, error) {
	ipc, err := os.Open("/proc/self/ns/ipc")
	if err != nil {
		return false, err
	}
	defer ipc.Close()
	owner, err := unix.IoctlRetInt(int(ipc.Fd()), unix.NS_GET_USERNS)
	switch err {
	case nil:
		return true, unix.Close(owner)
	case unix.EPERM: // the owner is neither this one nor below it
		return false, nil
	}
	return false, err
}
