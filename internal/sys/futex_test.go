package sys_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
)

// Behaviours of futex(2) that gVisor's system call tests assert, and what the
// protocols of this module count on besides:
//
//	wrong value: EAGAIN                           TestFutexComparesTheWord
//	timeout: ETIMEDOUT                            TestFutexTimesOut
//	bitset 0: EINVAL; bits that match             TestFutexBitsets
//	wake counts                                   TestFutexWakesAsManyAsItIsTold
//	cross-process, shared anonymous and file      TestFutexWakesAnotherProcess
//	private key does not match shared             TestFutexPrivateAndSharedDoNotMeet
//	the key is inode and offset                   TestFutexKeyIsTheMemory
//	page cut off by truncation: EFAULT            TestFutexOnATruncatedPage
//	read-only mapping                             TestFutexOnAReadOnlyMapping
//	requeue                                       TestFutexRequeues
//	PI: EDEADLK, EPERM, EAGAIN, ESRCH             futexpi_test.go
//	futex_waitv                                   futexwaitv_test.go

// sharedPage is a page of memory with a descriptor, mapped twice, and the descriptor.
func sharedPage(t testing.TB) (a, b uintptr, fd int) {
	t.Helper()
	page := os.Getpagesize()
	fd, err := sys.MemfdCreate("futex", sys.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Ftruncate(fd, int64(page)); err != nil {
		t.Fatal(err)
	}
	return mapShared(t, fd, sys.PROT_READ|sys.PROT_WRITE), mapShared(t, fd, sys.PROT_READ|sys.PROT_WRITE), fd
}

func mapShared(t testing.TB, fd, prot int) uintptr {
	t.Helper()
	page, flags := os.Getpagesize(), sys.MAP_SHARED
	if fd < 0 {
		flags |= sys.MAP_ANONYMOUS
	}
	addr, err := sys.Mmap(0, uint64(page), prot, flags, fd, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sys.Munmap(addr, page); err != nil {
			t.Error(err)
		}
	})
	return addr
}

// futexDeadline bounds what must not be waited for.
func futexDeadline() time.Duration { return sys.MonotonicNow() + testenv.Failsafe }

// again calls a wait until it is over for another reason than a signal.
func again(wait func() error) error {
	for {
		if err := wait(); err != unix.EINTR {
			return err
		}
	}
}

// sleep sleeps on word, while it is 0, in a goroutine, until it is woken by bits.
func sleep(word *atomic.Uint32, bits uint32, flags int) <-chan error {
	done, deadline := make(chan error, 1), futexDeadline()
	go func() {
		done <- again(func() error { return sys.FutexWaitBitset(word, 0, deadline, bits, flags) })
	}()
	return done
}

// asleepOn counts the threads of this process that sleep in the system call on addr.
func asleepOn(t testing.TB, number, addr uintptr) (n int) {
	t.Helper()
	threads, err := filepath.Glob("/proc/self/task/*/syscall")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range threads {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it ended
		}
		if strings.HasPrefix(string(text), fmt.Sprintf("%d %#x ", number, addr)) {
			n++
		}
	}
	return n
}

// waitAsleep waits until n threads sleep on word.
func waitAsleep(t testing.TB, word *atomic.Uint32, n int) {
	t.Helper()
	testenv.Eventually(t, fmt.Sprintf("%d threads sleep on the word", n), func() bool {
		return asleepOn(t, unix.SYS_FUTEX, addrOf(word)) == n
	})
}

// wantWoken wakes and requires that many to be found.
func wantWoken(t testing.TB, want int, got int, err error) {
	t.Helper()
	if got != want || err != nil {
		t.Errorf("%d were woken, %v; want %d", got, err, want)
	}
}

func wantNil(t testing.TB, done <-chan error) {
	t.Helper()
	if err := <-done; err != nil {
		t.Errorf("a sleeper: %v", err)
	}
}

func TestFutexComparesTheWord(t *testing.T) {
	a, _, _ := sharedPage(t)
	word := wordAt(a)
	word.Store(7)
	if err := sys.FutexWait(word, 8, 0); err != unix.EAGAIN {
		t.Errorf("wait: %v", err)
	}
	if err := sys.FutexWaitBitset(word, 8, 0, 1, 0); err != unix.EAGAIN {
		t.Errorf("wait for bits: %v", err)
	}
	if err := sys.FutexWait(misaligned(a), 0, 0); err != unix.EINVAL {
		t.Errorf("a misaligned word: %v", err)
	}
}

func TestFutexTimesOut(t *testing.T) {
	a, _, _ := sharedPage(t)
	word := wordAt(a)
	start := sys.MonotonicNow()
	if err := again(func() error { return sys.FutexWait(word, 0, time.Millisecond) }); err != unix.ETIMEDOUT {
		t.Errorf("wait: %v", err)
	}
	if took := sys.MonotonicNow() - start; took < time.Millisecond {
		t.Errorf("a millisecond took %v", took)
	}
	deadline := sys.MonotonicNow() + time.Millisecond
	if err := again(func() error { return sys.FutexWaitBitset(word, 0, deadline, 1, 0) }); err != unix.ETIMEDOUT {
		t.Errorf("wait for bits: %v", err)
	}
	if now := sys.MonotonicNow(); now < deadline {
		t.Errorf("the deadline %v came at %v", deadline, now)
	}
	// One that has passed is one.
	if err := sys.FutexWaitBitset(word, 0, 1, 1, 0); err != unix.ETIMEDOUT {
		t.Errorf("a deadline of long ago: %v", err)
	}
}

func TestFutexBitsets(t *testing.T) {
	a, _, _ := sharedPage(t)
	word := wordAt(a)
	if err := sys.FutexWaitBitset(word, 0, 0, 0, 0); err != unix.EINVAL {
		t.Errorf("wait for no bits: %v", err)
	}
	if _, err := sys.FutexWakeBitset(word, 1, 0, 0); err != unix.EINVAL {
		t.Errorf("wake of no bits: %v", err)
	}
	one, two := sleep(word, 1, 0), sleep(word, 2|4, 0)
	waitAsleep(t, word, 2)
	n, err := sys.FutexWakeBitset(word, 10, 8, 0)
	wantWoken(t, 0, n, err)
	n, err = sys.FutexWakeBitset(word, 10, 4|8, 0)
	wantWoken(t, 1, n, err)
	wantNil(t, two)
	n, err = sys.FutexWake(word, 10) // any
	wantWoken(t, 1, n, err)
	wantNil(t, one)

	plain := make(chan error, 1)
	go func() { plain <- again(func() error { return sys.FutexWait(word, 0, testenv.Failsafe) }) }()
	waitAsleep(t, word, 1)
	n, err = sys.FutexWakeBitset(word, 10, 1<<31, 0)
	wantWoken(t, 1, n, err)
	wantNil(t, plain)
}

func TestFutexWakesAsManyAsItIsTold(t *testing.T) {
	a, _, _ := sharedPage(t)
	word := wordAt(a)
	n, err := sys.FutexWake(word, 1)
	wantWoken(t, 0, n, err)
	const sleepers = 5
	done := make(chan error, sleepers)
	for range sleepers {
		go func() { done <- <-sleep(word, sys.FUTEX_BITSET_MATCH_ANY, 0) }()
	}
	waitAsleep(t, word, sleepers)
	for _, c := range []struct{ wake, want int }{{1, 1}, {2, 2}, {100, 2}, {100, 0}} {
		n, err := sys.FutexWake(word, c.wake)
		wantWoken(t, c.want, n, err)
		for range c.want {
			wantNil(t, done)
		}
	}
}

func TestFutexPrivateAndSharedDoNotMeet(t *testing.T) {
	a, _, _ := sharedPage(t)
	word := wordAt(a)
	for _, c := range []struct{ sleeper, other int }{{sys.FUTEX_PRIVATE_FLAG, 0}, {0, sys.FUTEX_PRIVATE_FLAG}} {
		done := sleep(word, 1, c.sleeper)
		waitAsleep(t, word, 1)
		n, err := sys.FutexWakeBitset(word, 10, 1, c.other)
		wantWoken(t, 0, n, err)
		n, err = sys.FutexWakeBitset(word, 10, 1, c.sleeper)
		wantWoken(t, 1, n, err)
		wantNil(t, done)
	}
}

func TestFutexKeyIsTheMemory(t *testing.T) {
	a, b, fd := sharedPage(t)
	done := sleep(wordAt(a), 1, 0)
	waitAsleep(t, wordAt(a), 1)
	n, err := sys.FutexWake(wordAt(b+4), 10) // another word of the page
	wantWoken(t, 0, n, err)
	n, err = sys.FutexWake(wordAt(b), 10)
	wantWoken(t, 1, n, err)
	wantNil(t, done)

	// A private copy of the page is other memory.
	private, err := sys.Mmap(0, 4096, sys.PROT_READ|sys.PROT_WRITE, sys.MAP_PRIVATE, fd, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer sys.Munmap(private, 4096)
	done = sleep(wordAt(a), 1, 0)
	waitAsleep(t, wordAt(a), 1)
	n, err = sys.FutexWake(wordAt(private), 10)
	wantWoken(t, 0, n, err)
	n, err = sys.FutexWake(wordAt(a), 10)
	wantWoken(t, 1, n, err)
	wantNil(t, done)
}

func TestFutexOnATruncatedPage(t *testing.T) {
	a, _, fd := sharedPage(t)
	word := wordAt(a)
	done := sleep(word, 1, 0)
	waitAsleep(t, word, 1)
	if err := unix.Ftruncate(fd, 0); err != nil {
		t.Fatal(err)
	}
	if err := sys.FutexWait(word, 0, 0); err != unix.EFAULT {
		t.Errorf("wait: %v", err)
	}
	if _, err := sys.FutexWake(word, 1); err != unix.EFAULT {
		t.Errorf("wake: %v", err)
	}
	if n := asleepOn(t, unix.SYS_FUTEX, a); n != 1 {
		t.Errorf("%d threads sleep on", n)
	}
	if err := unix.Ftruncate(fd, int64(os.Getpagesize())); err != nil {
		t.Fatal(err)
	}
	n, err := sys.FutexWake(word, 1)
	wantWoken(t, 1, n, err)
	wantNil(t, done)
}

func TestFutexOnAReadOnlyMapping(t *testing.T) {
	a, _, fd := sharedPage(t)
	reader := wordAt(mapShared(t, fd, sys.PROT_READ))
	done := sleep(reader, 1, 0)
	waitAsleep(t, reader, 1)
	n, err := sys.FutexWake(wordAt(a), 10)
	wantWoken(t, 1, n, err)
	wantNil(t, done)
	n, err = sys.FutexWake(reader, 10)
	wantWoken(t, 0, n, err)
}

func TestFutexRequeues(t *testing.T) {
	a, _, _ := sharedPage(t)
	word, other := wordAt(a), wordAt(a+64)
	const sleepers = 4
	done := make(chan error, sleepers)
	for range sleepers {
		go func() { done <- <-sleep(word, 1, 0) }()
	}
	waitAsleep(t, word, sleepers)
	if _, err := sys.FutexCmpRequeue(word, 1, 2, other, 1); err != unix.EAGAIN {
		t.Errorf("with another value: %v", err)
	}
	n, err := sys.FutexCmpRequeue(word, 1, 2, other, 0)
	wantWoken(t, 3, n, err) // woken or moved
	wantNil(t, done)
	n, err = sys.FutexWake(other, 10)
	wantWoken(t, 2, n, err)
	n, err = sys.FutexWake(word, 10)
	wantWoken(t, 1, n, err)
	for range sleepers - 1 {
		wantNil(t, done)
	}
}

// sleeper is another process that maps a page of a file and sleeps on its first word,
// or, with "many", on several.
func sleeper(args []string) error {
	fd, err := unix.Open(args[1], unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	page := os.Getpagesize()
	addr, err := sys.Mmap(0, uint64(page), sys.PROT_READ|sys.PROT_WRITE, sys.MAP_SHARED, fd, 0)
	if err != nil {
		return err
	}
	defer sys.Munmap(addr, page)
	if args[0] == "many" {
		var list [3]sys.FutexWaiter
		for i := range list {
			list[i].Set(wordAt(addr+uintptr(4*i)), 0, false)
		}
		var woken int
		err := again(func() (err error) { woken, err = sys.FutexWaitv(list[:], int64(futexDeadline())); return err })
		if err != nil {
			return err
		}
		return testenv.Say("woken %d", woken)
	}
	if err := again(func() error { return sys.FutexWait(wordAt(addr), 0, testenv.Failsafe) }); err != nil {
		return err
	}
	return testenv.Say("woken")
}

func TestFutexWakesAnotherProcess(t *testing.T) {
	disk, err := os.Create(filepath.Join(t.TempDir(), "x"))
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	if err := disk.Truncate(int64(os.Getpagesize())); err != nil {
		t.Fatal(err)
	}
	a, _, fd := sharedPage(t)
	wake := func(t *testing.T, addr uintptr, path string) {
		p := testenv.Start(t, "sleeper", "one", path)
		testenv.Eventually(t, "the other process is found asleep", func() bool {
			n, err := sys.FutexWake(wordAt(addr), 1)
			return n == 1 && err == nil
		})
		p.Expect("woken")
		if err := p.Wait(); err != nil {
			t.Error(err)
		}
	}
	t.Run("file", func(t *testing.T) {
		wake(t, mapShared(t, int(disk.Fd()), sys.PROT_READ|sys.PROT_WRITE), disk.Name())
	})
	t.Run("memfd", func(t *testing.T) { wake(t, a, fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), fd)) })
	t.Run("shared anonymous", func(t *testing.T) {
		// Without fork nobody shares it, but who may open what is mapped.
		addr := mapShared(t, -1, sys.PROT_READ|sys.PROT_WRITE)
		path := fmt.Sprintf("/proc/%d/map_files/%x-%x", os.Getpid(), addr, addr+uintptr(os.Getpagesize()))
		fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
		if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
			t.Skipf("needs CAP_CHECKPOINT_RESTORE to open /proc/PID/map_files: %v", err)
		}
		if err != nil {
			t.Fatal(err)
		}
		unix.Close(fd)
		wake(t, addr, path)
	})
}

// onThread runs f in a goroutine with a thread of its own, which ends with it, and
// returns what f returns.
func onThread(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends
		done <- f()
	}()
	return done
}

// threadGone waits until a thread of this process is no more.
func threadGone(t testing.TB, tid int) {
	t.Helper()
	testenv.Eventually(t, "the thread has ended", func() bool {
		_, err := os.Stat("/proc/self/task/" + strconv.Itoa(tid))
		return errors.Is(err, syscall.ENOENT)
	})
}
