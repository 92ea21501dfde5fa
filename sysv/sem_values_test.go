package sysv_test

import (
	"fmt"
	"io/fs"
	"math"
	"os"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

func TestSetValueSetsOneSemaphore(t *testing.T) {
	s := newSemaphores(t, 3)
	succeeds(t, s.SetValue(1, 7))
	hasValues(t, s, 0, 7, 0)
	if v, err := s.Value(1); v != 7 || err != nil {
		t.Errorf("value %d, %v", v, err)
	}
}

func TestSetValueMakesThisTheLastProcess(t *testing.T) {
	s := newSemaphores(t, 2)
	succeeds(t, s.SetValue(1, 7))
	for i, want := range []int{0, os.Getpid()} {
		if pid, err := s.LastPID(i); pid != want || err != nil {
			t.Errorf("last process of semaphore %d: %d, %v; expected %d", i, pid, err, want)
		}
	}
}

func TestSetValuesSetsAllSemaphores(t *testing.T) {
	s := newSemaphores(t, 3)
	succeeds(t, s.SetValues([]int{1, 0, sysv.MaxSemaphoreValue}))
	hasValues(t, s, 1, 0, sysv.MaxSemaphoreValue)
	for i := range 3 {
		if pid, err := s.LastPID(i); pid != os.Getpid() || err != nil {
			t.Errorf("last process of semaphore %d: %d, %v; expected %d", i, pid, err, os.Getpid())
		}
	}
}

func TestValuesOutsideTheRangeAreRefused(t *testing.T) {
	s := newSemaphores(t, 2)
	succeeds(t, s.SetValues([]int{5, 6}))
	for _, v := range []int{-1, sysv.MaxSemaphoreValue + 1, 1 << 16, 1<<16 + 1, 1 << 32, 1<<32 + 1, math.MinInt, math.MaxInt} {
		err := s.SetValue(1, v)
		failsWith(t, err, syscall.ERANGE)
		says(t, err, fmt.Sprintf("value %d of semaphore 1", v), "0 to 32767")
		err = s.SetValues([]int{1, v})
		failsWith(t, err, syscall.ERANGE)
		says(t, err, fmt.Sprintf("value %d of semaphore 1", v))
	}
	hasValues(t, s, 5, 6)
}

func TestSetValuesWantsOneForEachSemaphore(t *testing.T) {
	s := newSemaphores(t, 2)
	for _, values := range [][]int{nil, {}, {1}, {1, 2, 3}, make([]int, 100_000)} {
		err := s.SetValues(values)
		failsWith(t, err, syscall.EINVAL)
		isNot(t, err, fs.ErrNotExist)
		says(t, err, fmt.Sprintf("%d values given", len(values)), "has 2 semaphores")
	}
	hasValues(t, s, 0, 0)
}

func TestSemaphoreIndexesThatAreNone(t *testing.T) {
	s := newSemaphores(t, 2)
	for _, i := range []int{-1, 2, 1 << 16, 1 << 31, 1 << 32, 1<<32 + 1, math.MinInt, math.MaxInt} {
		for what, do := range map[string]func() error{
			"value":            func() error { _, err := s.Value(i); return err },
			"set value":        func() error { return s.SetValue(i, 1) },
			"last pid":         func() error { _, err := s.LastPID(i); return err },
			"waiting":          func() error { _, err := s.Waiting(i); return err },
			"waiting for zero": func() error { _, err := s.WaitingForZero(i); return err },
		} {
			err := do()
			if err == nil {
				t.Fatalf("%s of semaphore %d works", what, i)
			}
			failsWith(t, err, syscall.EINVAL)
			isNot(t, err, fs.ErrNotExist, sysv.ErrRemoved)
			says(t, err, fmt.Sprintf("no semaphore %d", i), "has 0 to 1")
		}
	}
	hasValues(t, s, 0, 0)
}

func TestSettingAValueWakesWhoCanGoOn(t *testing.T) {
	s := newSemaphores(t, 2)
	down := start(func() error { return s.Op(background, sysv.Add(0, -2)) })
	eventuallyWaiting(t, s, 0, 1)
	succeeds(t, s.SetValue(0, 1))
	unfinished(t, down)
	succeeds(t, s.SetValue(0, 2))
	succeeds(t, result(t, down))
	hasValues(t, s, 0, 0)

	down = start(func() error { return s.Op(background, sysv.Wait(0), sysv.Wait(1)) })
	eventuallyWaiting(t, s, 0, 1)
	succeeds(t, s.SetValues([]int{1, 1}))
	succeeds(t, result(t, down))
	hasValues(t, s, 0, 0)

	succeeds(t, s.SetValue(0, 1))
	zero := start(func() error { return s.Op(background, sysv.Zero(0)) })
	eventuallyZeroWaiting(t, s, 0, 1)
	succeeds(t, s.SetValue(0, 0))
	succeeds(t, result(t, zero))
}

func TestSettingAValueChangesTheTimes(t *testing.T) {
	s := newSemaphores(t, 1)
	for _, set := range []func() error{
		func() error { return s.SetValue(0, 1) },
		func() error { return s.SetValues([]int{1}) },
	} {
		before, err := s.Stat()
		succeeds(t, err)
		testenv.Eventually(t, "the change time advances", func() bool {
			succeeds(t, set())
			now, err := s.Stat()
			succeeds(t, err)
			if !now.OpTime.IsZero() {
				t.Fatalf("setting a value counts as an operation: %v", now.OpTime)
			}
			return now.ChangeTime.After(before.ChangeTime)
		})
	}
}

// Whatever is set is what is read, for every number of semaphores.
func TestValuesAreWhatWasSet(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		want := rapid.SliceOfN(rapid.IntRange(0, sysv.MaxSemaphoreValue), 1, 300).Draw(r, "values")
		s, err := sysv.CreateSemaphores(sysv.Private, len(want), 0o600)
		succeeds(t, err)
		defer func() { succeeds(t, s.Remove()) }()
		succeeds(t, s.SetValues(want))
		hasValues(t, s, want...)
		i := rapid.IntRange(0, len(want)-1).Draw(r, "index")
		if v, err := s.Value(i); v != want[i] || err != nil {
			t.Fatalf("value of %d: %d, %v; expected %d", i, v, err, want[i])
		}
	})
}

func TestLastProcessIsTheOneThatOperatedLast(t *testing.T) {
	s := newSemaphores(t, 4)
	succeeds(t, s.Op(background, sysv.Post(0), sysv.Post(1), sysv.Zero(2)))
	a := startAgent(t, nil)
	a.must("sem-op %d 1:-1", s.ID())
	for i, want := range []int{os.Getpid(), a.Pid(), os.Getpid(), 0} { // also for Zero, which changes nothing
		if pid, err := s.LastPID(i); pid != want || err != nil {
			t.Errorf("last process of semaphore %d: %d, %v; expected %d", i, pid, err, want)
		}
	}
	a.must("sem-set %d 0 3", s.ID())
	if pid, err := s.LastPID(0); pid != a.Pid() || err != nil {
		t.Errorf("after the other process set it: %d, %v; expected %d", pid, err, a.Pid())
	}
}

func TestLastProcessOutlivesTheProcess(t *testing.T) {
	s := newSemaphores(t, 1)
	a := startAgent(t, nil)
	a.must("sem-op %d 0:1", s.ID())
	a.CloseStdin()
	succeeds(t, a.Wait())
	if pid, err := s.LastPID(0); pid != a.Pid() || err != nil {
		t.Errorf("last process %d, %v; expected %d", pid, err, a.Pid())
	}
}

func TestFailedOperationLeavesTheLastProcess(t *testing.T) {
	s := newSemaphores(t, 1)
	succeeds(t, s.Op(background, sysv.Post(0)))
	a := startAgent(t, nil)
	if _, err := a.do("sem-try %d 0:-5", s.ID()); err == nil {
		t.Fatal("took 5 out of 1")
	}
	if pid, err := s.LastPID(0); pid != os.Getpid() || err != nil {
		t.Errorf("last process %d, %v; expected %d", pid, err, os.Getpid())
	}
}

func TestOperationTimeIsThatOfTheLastOperation(t *testing.T) {
	s := newSemaphores(t, 2)
	begin := time.Now()
	for what, do := range map[string]func() error{
		"post": func() error { return s.Op(background, sysv.Post(0)) },
		"zero": func() error { return s.Op(background, sysv.Zero(1)) },
		"try":  func() error { return s.TryOp(sysv.Post(0)) },
	} {
		succeeds(t, do())
		info, err := s.Stat()
		succeeds(t, err)
		isRecent(t, "operation time after "+what, info.OpTime, begin)
	}
}

func TestFailedOperationLeavesTheOperationTime(t *testing.T) {
	s := newSemaphores(t, 1)
	failsWith(t, s.TryOp(sysv.Wait(0)), sysv.ErrWouldBlock)
	if info, err := s.Stat(); !info.OpTime.IsZero() || err != nil {
		t.Errorf("operation time %v, %v", info.OpTime, err)
	}
}

func TestLastProcessIsSeenThroughThePIDNamespace(t *testing.T) {
	testenv.RequireRoot(t)
	s := newSemaphores(t, 2)
	a := startAgent(t, &testenv.StartOptions{Cloneflags: syscall.CLONE_NEWPID})
	succeeds(t, s.Op(background, sysv.Post(0)))
	a.must("sem-op %d 1:1", s.ID())
	if pid, err := s.LastPID(1); pid != a.Pid() || err != nil {
		t.Errorf("from outside: %d, %v; expected %d", pid, err, a.Pid())
	}
	if pid := a.must("sem-pid %d 1", s.ID()); pid != "1" {
		t.Errorf("from inside its own: %s, expected 1", pid)
	}
	if pid := a.must("sem-pid %d 0", s.ID()); pid != "0" {
		t.Errorf("from inside that of a process outside: %s, expected 0", pid)
	}
}
