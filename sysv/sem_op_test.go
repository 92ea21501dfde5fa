package sysv_test

import (
	"context"
	"fmt"
	"io/fs"
	"math"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"github.com/shmkit/shmkit/sysv"
)

func TestPostAddsAndWaitTakes(t *testing.T) {
	s := newSemaphores(t, 2)
	succeeds(t, s.Op(background, sysv.Post(0)))
	succeeds(t, s.Op(background, sysv.Add(1, 5)))
	hasValues(t, s, 1, 5)
	succeeds(t, s.Op(background, sysv.Wait(0)))
	succeeds(t, s.Op(background, sysv.Add(1, -3)))
	hasValues(t, s, 0, 2)
}

func TestSeveralOperationsAreOneStep(t *testing.T) {
	s := newSemaphores(t, 10)
	var ops []sysv.Op
	var want []int
	for i := range 10 {
		ops = append(ops, sysv.Add(i, i*i).Undo())
		want = append(want, i*i)
	}
	ops = ops[1:] // Add(0, 0) would wait for zero
	succeeds(t, s.Op(background, ops...))
	hasValues(t, s, want...)
}

func TestStepThatCannotBeDoneChangesNothing(t *testing.T) {
	s := newSemaphores(t, 3)
	succeeds(t, s.SetValues([]int{5, 5, 0}))
	err := s.TryOp(sysv.Post(0), sysv.Add(1, -2), sysv.Wait(2))
	failsWith(t, err, syscall.EAGAIN, sysv.ErrWouldBlock)
	hasValues(t, s, 5, 5, 0)
	err = s.TryOp(sysv.Post(0), sysv.Add(1, -2), sysv.Add(2, 32767), sysv.Post(2))
	failsWith(t, err, syscall.ERANGE)
	hasValues(t, s, 5, 5, 0)
	err = s.TryOp(sysv.Post(0), sysv.Post(3))
	failsWith(t, err, syscall.EFBIG)
	hasValues(t, s, 5, 5, 0)
}

func TestWaitingStepTakesNothingMeanwhile(t *testing.T) {
	s := newSemaphores(t, 2)
	succeeds(t, s.SetValue(0, 1))
	both := start(func() error { return s.Op(background, sysv.Wait(0), sysv.Wait(1)) })
	eventuallyWaiting(t, s, 1, 1)
	hasValues(t, s, 1, 0)
	succeeds(t, s.Op(background, sysv.Wait(0))) // somebody else may have it
	succeeds(t, s.Op(background, sysv.Post(1)))
	eventuallyWaiting(t, s, 0, 1)
	unfinished(t, both)
	succeeds(t, s.Op(background, sysv.Post(0)))
	succeeds(t, result(t, both))
	hasValues(t, s, 0, 0)
}

func TestOperationsOfAStepCountInTheirOrder(t *testing.T) {
	s := newSemaphores(t, 1)
	succeeds(t, s.TryOp(sysv.Post(0), sysv.Wait(0)))
	failsWith(t, s.TryOp(sysv.Wait(0), sysv.Post(0)), sysv.ErrWouldBlock)
	succeeds(t, s.TryOp(sysv.Zero(0), sysv.Post(0))) // the classic lock
	failsWith(t, s.TryOp(sysv.Zero(0), sysv.Post(0)), sysv.ErrWouldBlock)
	hasValues(t, s, 1)
	// No value in between may leave the range either.
	succeeds(t, s.SetValue(0, sysv.MaxSemaphoreValue))
	failsWith(t, s.TryOp(sysv.Post(0), sysv.Wait(0)), syscall.ERANGE)
	succeeds(t, s.TryOp(sysv.Wait(0), sysv.Post(0)))
	hasValues(t, s, sysv.MaxSemaphoreValue)
}

func TestZeroWaitsUntilTheValueIsZero(t *testing.T) {
	s := newSemaphores(t, 1)
	succeeds(t, s.Op(background, sysv.Zero(0)))
	succeeds(t, s.SetValue(0, 2))
	zero := start(func() error { return s.Op(background, sysv.Zero(0)) })
	eventuallyZeroWaiting(t, s, 0, 1)
	succeeds(t, s.Op(background, sysv.Wait(0)))
	unfinished(t, zero)
	succeeds(t, s.Op(background, sysv.Wait(0)))
	succeeds(t, result(t, zero))
	hasValues(t, s, 0)
}

func TestZeroAndPostAreOneStepForManyWaiters(t *testing.T) {
	const waiters = 5
	s := newSemaphores(t, 1)
	succeeds(t, s.SetValue(0, 1))
	entered := make(chan error, waiters)
	for range waiters {
		go func() { entered <- s.Op(background, sysv.Zero(0), sysv.Post(0)) }()
	}
	eventuallyZeroWaiting(t, s, 0, waiters)
	for left := waiters; left > 0; left-- {
		succeeds(t, s.Op(background, sysv.Wait(0))) // lets exactly one in
		succeeds(t, result(t, entered))
		eventuallyZeroWaiting(t, s, 0, left-1)
		hasValues(t, s, 1)
	}
}

func TestTryOpNeverWaits(t *testing.T) {
	s := newSemaphores(t, 1)
	err := s.TryOp(sysv.Wait(0))
	failsWith(t, err, syscall.EAGAIN, sysv.ErrWouldBlock)
	isNot(t, err, context.DeadlineExceeded, fs.ErrNotExist)
	succeeds(t, s.TryOp(sysv.Post(0)))
	failsWith(t, s.TryOp(sysv.Zero(0)), sysv.ErrWouldBlock)
	succeeds(t, s.TryOp(sysv.Wait(0)))
	succeeds(t, s.TryOp(sysv.Zero(0)))
}

func TestNoWaitDecidesWhenItIsWhatBlocks(t *testing.T) {
	s := newSemaphores(t, 2)
	succeeds(t, s.SetValue(1, 1))
	failsWith(t, s.Op(background, sysv.Wait(0).NoWait()), sysv.ErrWouldBlock)
	failsWith(t, s.Op(background, sysv.Wait(1), sysv.Wait(0).NoWait()), sysv.ErrWouldBlock)
	hasValues(t, s, 0, 1)
	// What blocks here may wait, and the other is passed by then.
	mixed := start(func() error { return s.Op(background, sysv.Wait(0), sysv.Wait(1).NoWait()) })
	eventuallyWaiting(t, s, 0, 1)
	succeeds(t, s.Op(background, sysv.Post(0)))
	succeeds(t, result(t, mixed))
	hasValues(t, s, 0, 0)
	// Here it is not: the step fails at the moment it turns out.
	mixed = start(func() error { return s.Op(background, sysv.Wait(0), sysv.Wait(1).NoWait()) })
	eventuallyWaiting(t, s, 0, 1)
	succeeds(t, s.Op(background, sysv.Post(0)))
	failsWith(t, result(t, mixed), sysv.ErrWouldBlock)
	hasValues(t, s, 1, 0)
}

func TestUndoAndNoWaitMakeCopies(t *testing.T) {
	s := newSemaphores(t, 1)
	wait := sysv.Wait(0)
	_ = wait.NoWait() // does not change wait
	op := start(func() error { return s.Op(background, wait) })
	eventuallyWaiting(t, s, 0, 1)
	succeeds(t, s.Op(background, sysv.Post(0)))
	succeeds(t, result(t, op))
}

func TestValueAboveTheMaximum(t *testing.T) {
	s := newSemaphores(t, 1)
	succeeds(t, s.SetValue(0, sysv.MaxSemaphoreValue))
	err := s.Op(background, sysv.Post(0))
	failsWith(t, err, syscall.ERANGE)
	says(t, err, "32767")
	hasValues(t, s, sysv.MaxSemaphoreValue)
	succeeds(t, s.SetValue(0, 1))
	failsWith(t, s.Op(background, sysv.Add(0, 32767)), syscall.ERANGE)
	succeeds(t, s.Op(background, sysv.Add(0, 32766)))
	hasValues(t, s, sysv.MaxSemaphoreValue)
}

func TestLargestChanges(t *testing.T) {
	s := newSemaphores(t, 1)
	succeeds(t, s.TryOp(sysv.Add(0, math.MaxInt16)))
	hasValues(t, s, sysv.MaxSemaphoreValue)
	// The smallest delta asks for more than a semaphore can hold.
	failsWith(t, s.TryOp(sysv.Add(0, math.MinInt16)), sysv.ErrWouldBlock)
	succeeds(t, s.TryOp(sysv.Add(0, -math.MaxInt16)))
	hasValues(t, s, 0)
}

func TestChangesThatDoNotFitAreNotCut(t *testing.T) {
	s := newSemaphores(t, 1)
	succeeds(t, s.SetValue(0, 100))
	for _, delta := range []int{math.MaxInt16 + 1, math.MinInt16 - 1, 1 << 16, 1<<16 + 1, 1<<16 - 1, 1 << 32, 1<<32 + 1, math.MaxInt, math.MinInt} {
		for _, do := range []func(...sysv.Op) error{
			s.TryOp, func(ops ...sysv.Op) error { return s.Op(background, ops...) },
		} {
			err := do(sysv.Add(0, delta))
			failsWith(t, err, syscall.ERANGE)
			says(t, err, fmt.Sprintf("change %d of semaphore 0", delta))
		}
	}
	hasValues(t, s, 100)
}

func TestOperationOnASemaphoreTheSetHasNot(t *testing.T) {
	s := newSemaphores(t, 3)
	for _, i := range []int{3, -1, math.MaxUint16, 1 << 16, 1<<16 + 1, 1 << 32, 1<<32 + 1, math.MaxInt, math.MinInt} {
		err := s.TryOp(sysv.Post(0), sysv.Post(i))
		failsWith(t, err, syscall.EFBIG)
		isNot(t, err, fs.ErrNotExist)
		says(t, err, "has semaphores 0 to 2")
		failsWith(t, s.Op(background, sysv.Zero(i)), syscall.EFBIG)
	}
	hasValues(t, s, 0, 0, 0)
}

func TestMoreOperationsThanAllowed(t *testing.T) {
	limits, err := sysv.ReadSemaphoreLimits()
	succeeds(t, err)
	s := newSemaphores(t, 1)
	ops := make([]sysv.Op, limits.MaxOps+1)
	for i := range ops {
		ops[i] = sysv.Post(0)
	}
	for _, do := range []func(...sysv.Op) error{
		s.TryOp, func(ops ...sysv.Op) error { return s.Op(background, ops...) },
	} {
		err := do(ops...)
		failsWith(t, err, syscall.E2BIG)
		says(t, err, fmt.Sprintf("%d operations", len(ops)), fmt.Sprintf("limit is %d", limits.MaxOps))
	}
	hasValues(t, s, 0)
	succeeds(t, s.Op(background, ops[1:]...))
	hasValues(t, s, limits.MaxOps)
}

func TestNoOperationIsRefused(t *testing.T) {
	s := newSemaphores(t, 1)
	for _, err := range []error{s.Op(background), s.TryOp()} {
		failsWith(t, err, syscall.EINVAL)
		isNot(t, err, fs.ErrNotExist)
		says(t, err, "no operation")
	}
}

// Random steps do what a slice of integers does, all or nothing.
func TestStepsDoWhatTheModelDoes(t *testing.T) {
	const n = 4
	rapid.Check(t, func(r *rapid.T) {
		s, err := sysv.CreateSemaphores(sysv.Private, n, 0o600)
		succeeds(t, err)
		defer func() { succeeds(t, s.Remove()) }()
		model := make([]int, n)
		for range rapid.IntRange(1, 20).Draw(r, "steps") {
			var ops []sysv.Op
			next := append([]int(nil), model...)
			var want error
			for range rapid.IntRange(1, 20).Draw(r, "operations") { // more than fit the stack, too
				i := rapid.IntRange(0, n-1).Draw(r, "index")
				delta := rapid.OneOf(rapid.IntRange(-3, 3), rapid.IntRange(-32768, 32767)).Draw(r, "delta")
				ops = append(ops, sysv.Add(i, delta))
				switch {
				case want != nil:
				case delta == 0 && next[i] != 0, next[i]+delta < 0:
					want = syscall.EAGAIN
				case next[i]+delta > sysv.MaxSemaphoreValue:
					want = syscall.ERANGE
				default:
					next[i] += delta
				}
			}
			err := s.TryOp(ops...)
			if want == nil {
				succeeds(t, err)
				model = next
			} else {
				failsWith(t, err, want)
			}
			hasValues(t, s, model...)
		}
	})
}
