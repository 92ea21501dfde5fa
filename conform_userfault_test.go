package shmkit_test

import (
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
)

// The addresses that MREMAP_DONTUNMAP leaves are mapped and empty: a touch is a fault,
// which userfaultfd(2) catches. In a process of its own: a thread that waits for a page
// is in no system call, and would hold up the garbage collector of the tests.
func TestDontUnmapAndUserfaultfd(t *testing.T) {
	p := testenv.Start(t, "don't unmap")
	switch line, err := p.ReadLine(); {
	case line == "caught":
	case line == "not allowed":
		t.Skip("needs userfaultfd, which is for root unless vm.unprivileged_userfaultfd is set")
	default:
		t.Errorf("%q, %v\n%s", line, err, p.Stderr())
	}
}

func dontUnmapRole([]string) error {
	runtime.GOMAXPROCS(2) // one waits, one answers
	u, err := sys.NewUserfault()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSYS) {
		return testenv.Say("not allowed")
	}
	if err != nil {
		return err
	}
	at, err := sys.Mmap(0, onePage, rw, privately, -1, 0)
	if err != nil {
		return err
	}
	sys.Bytes(at, 1)[0] = 42
	if err := u.Register(at, pageSize); err != nil {
		return err
	}
	moved, err := sys.Mremap(at, onePage, onePage, sys.MREMAP_MAYMOVE|sys.MREMAP_DONTUNMAP, 0)
	if err != nil {
		return err
	}
	if b := sys.Bytes(moved, 1)[0]; b != 42 {
		return fmt.Errorf("what moved reads %d", b)
	}
	caught := make(chan error)
	go func() {
		addr, err := u.Next()
		if err == nil && addr&^uintptr(pageSize-1) != at {
			err = fmt.Errorf("a fault at %#x, want %#x", addr, at)
		}
		caught <- errors.Join(err, u.Zero(at, pageSize))
	}()
	if b := sys.Bytes(at, 1)[0]; b != 0 {
		return fmt.Errorf("what was left reads %d", b)
	}
	if err := errors.Join(<-caught, u.Close()); err != nil {
		return err
	}
	return testenv.Say("caught")
}
