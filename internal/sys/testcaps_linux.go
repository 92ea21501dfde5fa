package sys

import "golang.org/x/sys/unix"

// A Capability is one of the privileges that capabilities(7) splits root into.
type Capability int

// The capabilities that decide what shared memory lets a process do.
const (
	CapChown       Capability = unix.CAP_CHOWN
	CapDACOverride Capability = unix.CAP_DAC_OVERRIDE
	CapFowner      Capability = unix.CAP_FOWNER
	CapSetPCap     Capability = unix.CAP_SETPCAP
	CapIPCLock     Capability = unix.CAP_IPC_LOCK
	CapIPCOwner    Capability = unix.CAP_IPC_OWNER
	CapSysAdmin    Capability = unix.CAP_SYS_ADMIN
	CapSysResource Capability = unix.CAP_SYS_RESOURCE
	CapSysPtrace   Capability = unix.CAP_SYS_PTRACE
	CapCheckpoint  Capability = unix.CAP_CHECKPOINT_RESTORE
)

// capabilityWords is how many 32-bit words hold a set of capabilities in version 3
// of the system calls.
const capabilityWords = 2

// DropThreadCapabilities takes caps away from the calling OS thread for good:
// out of its bounding set, so that no exec gives them back, not even to root,
// and out of its effective, permitted and inheritable sets (the kernel then
// trims the ambient one). Only the calling thread changes, so the goroutine has
// to be locked to it, and is meant to exec next: tests use it to become "root
// without CAP_IPC_OWNER". It needs CAP_SETPCAP.
func DropThreadCapabilities(caps ...Capability) error {
	// The bounding set first: the second half may drop CAP_SETPCAP itself.
	for _, c := range caps {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0); err != nil {
			return err
		}
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [capabilityWords]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return err
	}
	for _, c := range caps {
		word, bit := &data[c/32], uint32(1)<<(c%32)
		word.Effective &^= bit
		word.Permitted &^= bit
		word.Inheritable &^= bit
	}
	return unix.Capset(&header, &data[0])
}
