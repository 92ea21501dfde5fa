package shmkit_test

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

func TestMain(m *testing.M) {
	testenv.Main(m, map[string]testenv.Role{
		"add":                   addRole,
		"late use of a slice":   lateUseRole,
		"write to read-only":    readOnlyWriteRole,
		"goroutine in a guard":  guardedGoroutineRole,
		"leave the view open":   openViewRole,
		"late use in a guard":   guardedLateUseRole,
		"fault outside a guard": foreignFaultRole,

		"don't unmap":                dontUnmapRole,
		"full file system":           fullFileSystemRole,
		"grow locked":                growLockedRole,
		"lock too much":              lockLimitRole,
		"map locked":                 mapLockedRole,
		"resize without descriptors": noDescriptorsRole,
		"resize with a sealed page":  sealedRole,
	})
}

// attachID attaches the segment that args[0] identifies.
func attachID(args []string, o *sysv.AttachOptions) (*shmkit.Mapping, error) {
	id, err := strconv.Atoi(args[0])
	if err != nil {
		return nil, err
	}
	seg, err := sysv.OpenID(id)
	if err != nil {
		return nil, err
	}
	return seg.Attach(o)
}

// addRole adds 1 to the first 64-bit and the third 32-bit word, args[1] times
// each, by methods and through a view.
func addRole(args []string) error {
	m, err := attachID(args, nil)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	if err := testenv.Say("ready"); err != nil {
		return err
	}
	if _, err := testenv.Hear(); err != nil {
		return err
	}
	if err := addWords(m, n); err != nil {
		return err
	}
	return m.Close()
}

// lateUseRole reads a slice after Close, which must end the process.
func lateUseRole(args []string) error {
	m, err := attachID(args, nil)
	if err != nil {
		return err
	}
	b := m.Bytes()
	if err := m.Close(); err != nil {
		return err
	}
	return testenv.Say("read %d", b[0])
}

// guardedLateUseRole does the same in Guard, which must not.
func guardedLateUseRole(args []string) error {
	m, err := attachID(args, nil)
	if err != nil {
		return err
	}
	b := m.Bytes()
	if err := m.Close(); err != nil {
		return err
	}
	var first byte
	return testenv.Say("%v", shmkit.Guard(func() { first = b[0] }) != nil && first == 0)
}

// readOnlyWriteRole writes to a read-only mapping, which must end the process.
func readOnlyWriteRole(args []string) error {
	m, err := attachID(args, &sysv.AttachOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	m.Bytes()[0] = 1
	return testenv.Say("wrote")
}

// guardedGoroutineRole faults in a goroutine that a guarded function started,
// which must end the process: Guard is for one goroutine.
func guardedGoroutineRole(args []string) error {
	m, err := attachID(args, &sysv.AttachOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	err = shmkit.Guard(func() {
		done := make(chan struct{})
		go func() {
			defer close(done)
			m.Bytes()[0] = 1
		}()
		<-done
	})
	return testenv.Say("survived: %v", err)
}

// foreignFaultRole faults outside of every mapping in Guard, with nobody to
// recover the panic, which must end the process.
func foreignFaultRole(args []string) error {
	b, _ := foreignMemory()
	err := shmkit.Guard(func() { b[0] = 1 })
	return testenv.Say("survived: %v", err)
}

// openViewRole closes a mapping under a view and ends without closing that: the
// kernel detaches.
func openViewRole(args []string) error {
	m, err := attachID(args, nil)
	if err != nil {
		return err
	}
	v, err := shmkit.View[uint64](m, 0)
	if err != nil {
		return err
	}
	if err := m.Close(); err != nil {
		return err
	}
	*v.Data() = 42
	if err := testenv.Say("attached"); err != nil {
		return err
	}
	line, err := testenv.Hear()
	if err != nil {
		return fmt.Errorf("waiting to be told to go: %q, %w", line, err)
	}
	return nil
}
