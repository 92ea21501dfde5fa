package sysv_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

var background = context.Background()

// newSemaphores makes a set of n semaphores for its owner, gone when the test
// ends.
func newSemaphores(t testing.TB, n int) *sysv.SemaphoreSet {
	t.Helper()
	s, err := sysv.CreateSemaphores(sysv.Key(testenv.Key(t)), n, 0o600)
	succeeds(t, err)
	return s
}

// newQueue makes a message queue for its owner, gone when the test ends.
func newQueue(t testing.TB) *sysv.MessageQueue {
	t.Helper()
	q, err := sysv.CreateQueue(sysv.Key(testenv.Key(t)), 0o600)
	succeeds(t, err)
	return q
}

func succeeds(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// failsWith fails the test unless errors.Is(err, target) holds for each target.
func failsWith(t testing.TB, err error, targets ...error) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; expected %v", targets)
	}
	for _, target := range targets {
		if !errors.Is(err, target) {
			t.Fatalf("errors.Is(%v) does not hold for: %v", target, err)
		}
	}
}

// isNot fails the test if errors.Is(err, target) holds for one of the targets.
func isNot(t testing.TB, err error, targets ...error) {
	t.Helper()
	for _, target := range targets {
		if errors.Is(err, target) {
			t.Errorf("errors.Is(%v) holds for: %v", target, err)
		}
	}
}

// says fails the test unless the error's text has every one of parts.
func says(t testing.TB, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; expected one that says %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not say %q: %v", part, err)
		}
	}
}

// hasValues fails the test unless the semaphores have these values.
func hasValues(t testing.TB, s *sysv.SemaphoreSet, want ...int) {
	t.Helper()
	got, err := s.Values()
	succeeds(t, err)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("values of %v: %v, expected %v", s, got, want)
	}
}

// eventuallyValues waits until the semaphores have these values.
func eventuallyValues(t testing.TB, s *sysv.SemaphoreSet, want ...int) {
	t.Helper()
	testenv.Eventually(t, fmt.Sprintf("values of %v are %v", s, want), func() bool {
		got, err := s.Values()
		succeeds(t, err)
		return fmt.Sprint(got) == fmt.Sprint(want)
	})
}

// eventuallyWaiting waits until n threads wait for semaphore i to grow.
func eventuallyWaiting(t testing.TB, s *sysv.SemaphoreSet, i, n int) {
	t.Helper()
	testenv.Eventually(t, fmt.Sprintf("%d wait for semaphore %d", n, i), func() bool {
		got, err := s.Waiting(i)
		succeeds(t, err)
		return got == n
	})
}

// eventuallyZeroWaiting waits until n threads wait for semaphore i to be 0.
func eventuallyZeroWaiting(t testing.TB, s *sysv.SemaphoreSet, i, n int) {
	t.Helper()
	testenv.Eventually(t, fmt.Sprintf("%d wait for semaphore %d to be 0", n, i), func() bool {
		got, err := s.WaitingForZero(i)
		succeeds(t, err)
		return got == n
	})
}

// threadsIn counts the threads of this process that are inside the system call
// on the object with this id. Message queues do not count their waiters.
func threadsIn(t testing.TB, number uintptr, id int) int {
	t.Helper()
	threads, err := filepath.Glob("/proc/self/task/*/syscall")
	succeeds(t, err)
	n := 0
	for _, path := range threads {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // the thread ended
		}
		fields := strings.Fields(string(text)) // "NUMBER ARGUMENTS…" or "running"
		if len(fields) > 1 && fields[0] == strconv.Itoa(int(number)) && fields[1] == fmt.Sprintf("%#x", id) {
			n++
		}
	}
	return n
}

// eventuallyIn waits until n threads of this process are inside the system call
// on the object with this id.
func eventuallyIn(t testing.TB, number uintptr, id, n int) {
	t.Helper()
	testenv.Eventually(t, fmt.Sprintf("%d threads in system call %d on id %d", n, number, id),
		func() bool { return threadsIn(t, number, id) == n })
}

// start runs f in a goroutine and returns where its error will be.
func start(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return done
}

// result waits for what start promised.
func result(t testing.TB, done <-chan error) error {
	t.Helper()
	failsafe := time.NewTimer(testenv.Failsafe)
	defer failsafe.Stop()
	select {
	case err := <-done:
		return err
	case <-failsafe.C:
		t.Fatalf("still not back after %v", testenv.Failsafe)
		return nil
	}
}

// unfinished fails the test if the call is back already.
func unfinished(t testing.TB, done <-chan error) {
	t.Helper()
	select {
	case err := <-done:
		t.Fatalf("back, though it has to wait: %v", err)
	default:
	}
}

// isRecent fails the test unless the time was taken after begin. The kernel's
// times are whole seconds of a clock that may lag by a tick.
func isRecent(t testing.TB, what string, got, begin time.Time) {
	t.Helper()
	if got.Before(begin.Add(-time.Second).Truncate(time.Second)) || got.After(time.Now()) {
		t.Errorf("%s is %v, expected between %v and now", what, got, begin)
	}
}

// rounds is how often something random is tried: n, or a tenth of it with
// -short.
func rounds(n int) int {
	if testing.Short() {
		return max(n/10, 1)
	}
	return n
}

// rootEverywhere reports whether this process can become other users: it is root
// and not that of a user namespace with one user.
func rootEverywhere() bool {
	text, err := os.ReadFile("/proc/self/uid_map")
	return err == nil && os.Geteuid() == 0 && strings.Fields(string(text))[2] != "1"
}
