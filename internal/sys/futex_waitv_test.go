package sys_test

import (
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
)

// The words stand here because FutexWaiter holds addresses as numbers: a stack may move.
var waitvWords [3]atomic.Uint32

// waitv lists the words with the values they are expected to have. The last is private.
func waitv(values ...uint32) []sys.FutexWaiter {
	list := make([]sys.FutexWaiter, len(values))
	for i, v := range values {
		list[i].Set(&waitvWords[i], v, i == len(waitvWords)-1)
	}
	return list
}

// soon is a deadline that passes while the test waits for it.
func soon(t *testing.T) int64 {
	t.Helper()
	return int64(sys.MonotonicNow() + 20*time.Millisecond)
}

func needWaitv(t *testing.T) {
	t.Helper()
	_, err := sys.FutexWaitv(nil, 0)
	switch err {
	case syscall.EINVAL:
	case syscall.ENOSYS, syscall.EPERM:
		t.Skipf("the kernel has no futex_waitv (Linux 5.16): %v", err)
	default:
		t.Fatalf("an empty list: %v", err)
	}
}

func TestFutexWaitvNamesTheWordThatIsWoken(t *testing.T) {
	needWaitv(t)
	for i := range waitvWords {
		named := make(chan int, 1)
		go func() {
			for {
				n, err := sys.FutexWaitv(waitv(0, 0, 0), 0)
				if err == syscall.EINTR {
					continue
				}
				if err != nil {
					t.Error(err)
				}
				named <- n
				return
			}
		}()
		testenv.Eventually(t, "the word's sleeper is woken", func() bool {
			wake := sys.FutexWake
			if i == len(waitvWords)-1 {
				wake = sys.FutexWakePrivate
			}
			n, err := wake(&waitvWords[i], 1)
			if err != nil {
				t.Fatal(err)
			}
			return n == 1
		})
		if n := <-named; n != i {
			t.Errorf("word %d was woken, the kernel names %d", i, n)
		}
	}
}

func TestFutexWaitvEndsWithoutAWakeUp(t *testing.T) {
	needWaitv(t)
	if _, err := sys.FutexWaitv(waitv(0, 7, 0), 0); err != syscall.EAGAIN {
		t.Errorf("another value: %v", err)
	}
	deadline := soon(t)
	_, err := sys.FutexWaitv(waitv(0, 0), deadline)
	if now := int64(sys.MonotonicNow()); err != syscall.ETIMEDOUT || now < deadline {
		t.Errorf("%v, %v before the deadline", err, time.Duration(deadline-now))
	}
}

func TestFutexWaitUntilEndsAtItsDeadline(t *testing.T) {
	for _, private := range []bool{false, true} {
		deadline := soon(t)
		var err error
		for {
			if err = sys.FutexWaitUntil(&waitvWords[0], 0, private, deadline); err != syscall.EINTR {
				break
			}
		}
		if now := int64(sys.MonotonicNow()); err != syscall.ETIMEDOUT || now < deadline {
			t.Errorf("%v, %v before the deadline", err, time.Duration(deadline-now))
		}
		if err := sys.FutexWaitUntil(&waitvWords[0], 7, private, 0); err != syscall.EAGAIN {
			t.Errorf("another value: %v", err)
		}
	}
}
