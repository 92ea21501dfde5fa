package sys_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/shmkit/shmkit/internal/sys"
)

func TestPILockKnowsItsOwner(t *testing.T) {
	a, _, _ := sharedPage(t)
	word := wordAt(a)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for name, take := range map[string]func() error{
		"lock":    func() error { return sys.FutexLockPI(word) },
		"trylock": func() error { return sys.FutexTrylockPI(word) },
	} {
		if err := take(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := word.Load(); got != uint32(sys.Gettid()) {
			t.Errorf("%s: the word is %#x, the thread %#x", name, got, sys.Gettid())
		}
		if err := sys.FutexLockPI(word); err != unix.EDEADLK {
			t.Errorf("after %s, lock: %v", name, err)
		}
		if err := sys.FutexTrylockPI(word); err != unix.EDEADLK {
			t.Errorf("after %s, trylock: %v", name, err)
		}
		// Another thread.
		if err := <-onThread(func() error { return sys.FutexTrylockPI(word) }); err != unix.EAGAIN {
			t.Errorf("after %s, trylock by another: %v", name, err)
		}
		if err := <-onThread(func() error { return sys.FutexUnlockPI(word) }); err != unix.EPERM {
			t.Errorf("after %s, unlock by another: %v", name, err)
		}
		if err := sys.FutexUnlockPI(word); err != nil {
			t.Errorf("after %s, unlock: %v", name, err)
		}
		if got := word.Load(); got&sys.FUTEX_TID_MASK != 0 {
			t.Errorf("after unlock the word is %#x", got)
		}
		word.Store(0)
	}
	if err := sys.FutexUnlockPI(word); err != unix.EPERM {
		t.Errorf("unlock of what is free: %v", err)
	}
}

func TestPIUnlockHandsOver(t *testing.T) {
	a, b, _ := sharedPage(t)
	word := wordAt(a)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := sys.FutexLockPI(word); err != nil {
		t.Fatal(err)
	}
	next := onThread(func() error {
		if err := again(func() error { return sys.FutexLockPI(wordAt(b)) }); err != nil {
			return err
		}
		if got, me := wordAt(b).Load()&sys.FUTEX_TID_MASK, uint32(sys.Gettid()); got != me {
			return fmt.Errorf("the word names %#x, this is %#x", got, me)
		}
		return sys.FutexUnlockPI(wordAt(b))
	})
	waitAsleep(t, wordAt(b), 1)
	if got := word.Load(); got != uint32(sys.Gettid())|sys.FUTEX_WAITERS {
		t.Errorf("with a waiter the word is %#x", got)
	}
	if err := sys.FutexUnlockPI(word); err != nil {
		t.Fatal(err)
	}
	if err := <-next; err != nil {
		t.Error(err)
	}
}

// errMainThread: the runtime never ends the process's first thread.
var errMainThread = errors.New("on the main thread")

// Without a robust list the kernel does not look at the word when its owner ends.
func TestPILockOfADeadOwner(t *testing.T) {
	a, _, _ := sharedPage(t)
	word := wordAt(a)
	var tid int
	err := errMainThread
	for err == errMainThread {
		err = <-onThread(func() error {
			if tid = sys.Gettid(); tid == os.Getpid() {
				return errMainThread
			}
			return sys.FutexLockPI(word)
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	threadGone(t, tid)
	if got := word.Load(); got != uint32(tid) {
		t.Errorf("the word is %#x, the thread was %#x", got, tid)
	}
	if err := <-onThread(func() error { return sys.FutexLockPI(word) }); err != unix.ESRCH {
		t.Errorf("lock: %v", err)
	}
	if err := <-onThread(func() error { return sys.FutexTrylockPI(word) }); err != unix.ESRCH && err != unix.EAGAIN {
		t.Errorf("trylock: %v", err)
	}
}
