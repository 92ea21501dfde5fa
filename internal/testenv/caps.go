package testenv

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/shmkit/shmkit/internal/sys"
)

// Capability is a privilege that StartOptions.DropCaps can take away.
type Capability = sys.Capability

// The capabilities that decide what shared memory lets a process do.
const (
	CapChown       = sys.CapChown
	CapDACOverride = sys.CapDACOverride
	CapFowner      = sys.CapFowner
	CapIPCLock     = sys.CapIPCLock
	CapIPCOwner    = sys.CapIPCOwner
	CapSysAdmin    = sys.CapSysAdmin
	CapSysResource = sys.CapSysResource
	CapSysPtrace   = sys.CapSysPtrace
	CapCheckpoint  = sys.CapCheckpoint
)

// encodeCaps is the value of envDropCaps for caps.
func encodeCaps(caps []Capability) string {
	words := make([]string, len(caps))
	for i, c := range caps {
		words[i] = strconv.Itoa(int(c))
	}
	return strings.Join(words, ",")
}

// dropCapsAndExec does what envDropCaps asks for, and then executes this program
// again as the role name, without returning. When nothing is to be dropped it
// returns nil.
//
// Capabilities belong to threads, and a Go process has several of them before
// any of its code runs. So one thread drops its own and calls execve, which ends
// the others and gives the new program, and all its threads, what the one kept.
// The pid, the pipes and the parent-death signal survive that.
func dropCapsAndExec(name string) error {
	list, ok := os.LookupEnv(envDropCaps)
	if !ok {
		return nil
	}
	var caps []Capability
	for word := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(word)
		if err != nil {
			return fmt.Errorf("%s=%q: %w", envDropCaps, list, err)
		}
		caps = append(caps, Capability(n))
	}
	// Locked for good: on an error the thread must not serve other goroutines.
	runtime.LockOSThread()
	if err := sys.DropThreadCapabilities(caps...); err != nil {
		return err
	}
	env := childEnv([]string{envDropCaps}, envRole+"="+name)
	return syscall.Exec(selfExe, os.Args, env)
}
