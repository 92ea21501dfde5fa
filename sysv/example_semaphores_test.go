package sysv_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/shmkit/shmkit/sysv"
)

// A semaphore as a lock between processes. Undo gives it back if the holder dies,
// so that nobody waits for ever.
func ExampleSemaphoreSet() {
	sem, err := sysv.CreateSemaphores(sysv.Private, 1, 0o600)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sem.Remove()

	// All zero is what a new set is, so let 0 mean free: to lock is to wait for 0
	// and add 1, in one step.
	ctx := context.Background()
	if err := sem.Op(ctx, sysv.Zero(0), sysv.Post(0).Undo()); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("locked")
	if err := sem.Op(ctx, sysv.Wait(0).Undo()); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("unlocked")
	// Output:
	// locked
	// unlocked
}

// Two semaphores change together or not at all.
func ExampleSemaphoreSet_Op() {
	sem, err := sysv.CreateSemaphores(sysv.Private, 2, 0o600)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sem.Remove()
	const free, filled = 0, 1
	if err := sem.SetValues([]int{3, 0}); err != nil {
		fmt.Println(err)
		return
	}

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	for {
		err := sem.Op(ctx, sysv.Wait(free), sysv.Post(filled))
		if errors.Is(err, context.DeadlineExceeded) {
			break // no room, and nobody makes any
		}
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	values, err := sem.Values()
	fmt.Println(values, err)
	// Output: [0 3] <nil>
}

func ExampleSemaphoreSet_TryOp() {
	sem, err := sysv.CreateSemaphores(sysv.Private, 1, 0o600)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sem.Remove()
	for range 2 {
		switch err := sem.TryOp(sysv.Zero(0), sysv.Post(0).Undo()); {
		case err == nil:
			fmt.Println("it is ours")
		case errors.Is(err, sysv.ErrWouldBlock):
			fmt.Println("somebody has it")
		default:
			fmt.Println(err)
			return
		}
	}
	// Output:
	// it is ours
	// somebody has it
}
