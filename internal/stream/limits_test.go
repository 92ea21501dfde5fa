package stream

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

// When the kernel has no room for the one or the other, nothing half-made stays,
// and the error says which limit it was.
func TestLimitsOfTheKernel(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	for name, c := range map[string]struct {
		path, value string
		want        error
		text        string
	}{
		"segments":              {"kernel/shmmni", "1", syscall.ENOSPC, "kernel.shmmni = 1"},
		"bytes of a segment":    {"kernel/shmmax", "4096", syscall.EINVAL, "kernel.shmmax = 4096"},
		"pages of all segments": {"kernel/shmall", "2", syscall.ENOSPC, "kernel.shmall = 2"},
		"sets":                  {"kernel/sem", "32000 1024000000 500 1", syscall.ENOSPC, "SEMMNI"},
		"semaphores of a set":   {"kernel/sem", "250 1024000000 500 32000", syscall.EINVAL, "2005 semaphores are above the limit of 250"},
		"semaphores of all":     {"kernel/sem", "32000 2000 500 32000", syscall.ENOSPC, "SEMMNS"},
		"operations in a step":  {"kernel/sem", fmt.Sprintf("32000 1024000000 %d 32000", maxPosts-1), syscall.E2BIG, "SEMOPM"},
	} {
		t.Run(name, func(t *testing.T) {
			// One of each is there already, and is nobody's here.
			seg, err := sysv.Create(onSysV.spot(t).Key, 1, 0o600)
			if err != nil {
				t.Fatal(err)
			}
			set, err := sysv.CreateSemaphores(onSysV.spot(t).Key, 1, 0o600)
			if err != nil {
				t.Fatal(err)
			}
			testenv.SetSysctl(t, c.path, c.value)
			key := onSysV.spot(t)
			refused(t, key, linesSmall, c.text, c.want)
			nothingUnder(t, key)
			remove(t, seg)
			remove(t, set)
		})
	}
}

// A stream that others use can be joined when there is no room for another one.
func TestJoiningNeedsNoRoom(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	key := onSysV.spot(t)
	w := openWriter(t, key, linesSmall)
	testenv.SetSysctl(t, "kernel/shmmni", "1")
	testenv.SetSysctl(t, "kernel/sem", "32000 1024000000 500 1")
	r := openReader(t, key, linesSmall)
	put(t, w, "x")
	if got := next(t, r); got != "x" {
		t.Errorf("%q", got)
	}
	closeMember(t, w)
	closeMember(t, r)
	// And what the dead left does not block the next one.
	leaveBehind(t, key, 0)
	joinAndLeave(t, key, linesSmall)
}

// With few operations in one step, many readers are still woken.
func TestWakingManyReadersWithFewOperations(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	testenv.SetSysctl(t, "kernel/sem", fmt.Sprintf("32000 1024000000 %d 32000", maxPosts))
	const n = 3*maxPosts + 1
	withoutTick(t, func(string) {}) // all of them stay asleep
	key := onSysV.spot(t)
	got := make(chan error, n)
	for range n {
		r := openReader(t, key, linesSmall)
		go func() {
			_, err := r.Next(failsafe(t))
			got <- err
		}()
	}
	w := openWriter(t, key, linesSmall)
	testenv.Eventually(t, "all readers sleep", func() bool {
		asleepNow := 0
		for i := range n {
			if w.slots[i].sleeping.Load() == asleep {
				asleepNow++
			}
		}
		return asleepNow == n
	})
	put(t, w, "x")
	for range n {
		if err := <-got; err != nil {
			t.Error(err)
		}
	}
}

func TestNoAddressSpaceForTheSegment(t *testing.T) {
	key := onSysV.spot(t)
	p := start(t, "cramped", part{At: key, Content: Lines, Capacity: 256 << 20})
	line, err := p.ReadLine()
	if err != nil || !strings.Contains(line, "cannot allocate memory") {
		t.Errorf("%q, %v; it ended with %d: %s", line, err, p.ExitCode(), p.Stderr())
	}
	nothingUnder(t, key)
}

func TestSegmentNobodyCanPromise(t *testing.T) {
	if testenv.Sysctl(t, "vm/overcommit_memory") == "1" {
		t.Skip("vm.overcommit_memory is 1: the kernel promises everything")
	}
	key := onSysV.spot(t)
	refused(t, key, Options{Content: Lines, Capacity: MaxCapacity}, "cannot promise", syscall.ENOMEM)
	nothingUnder(t, key)
}

// A wake-up that would exceed the largest value of a semaphore is none, and does
// not keep the others from theirs.
func TestFullSemaphoreDoesNotStopPosts(t *testing.T) {
	key := onSysV.spot(t)
	w := openWriter(t, key, linesSmall)
	if err := sysvOf(w.member).sem.SetValue(semData+1, sysv.MaxSemaphoreValue); err != nil {
		t.Fatal(err)
	}
	var posts []sysv.Op
	for i := range 5 {
		posts = append(posts, sysv.Post(semData+i))
	}
	if err := sysvOf(w.member).post(posts); err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{1, sysv.MaxSemaphoreValue, 1, 1, 1} {
		if v, err := sysvOf(w.member).sem.Value(semData + i); v != want || err != nil {
			t.Errorf("semaphore %d: %d, %v; want %d", i, v, err, want)
		}
	}
	if err := sysvOf(w.member).post(nil); err != nil {
		t.Error(err)
	}
}

func TestSeveralErrorsAreOneLine(t *testing.T) {
	a, b := errors.New("a"), errors.New("b")
	if err := several(nil, nil); err != nil {
		t.Errorf("nothing: %v", err)
	}
	if err := several(nil, a, nil); err != a { //nolint:errorlint // the very same
		t.Errorf("one: %v", err)
	}
	if err := several(a, nil, b); err.Error() != "a; b" || !errors.Is(err, a) || !errors.Is(err, b) {
		t.Errorf("two: %v", err)
	}
}
