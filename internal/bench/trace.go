package bench

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"

	"github.com/shmkit/shmkit/internal/sys"
)

// traceRole counts the system calls of threads. It says "ready" when all are traced, answers each line of its
// input with how many there were so far, and ends with its input: then they go on as before.
func traceRole(threads []int) error {
	var t sys.Tracer
	for _, tid := range threads {
		if err := t.Seize(tid); err != nil {
			return fmt.Errorf("trace thread %d: %w", tid, err)
		}
	}
	var calls atomic.Int64
	go func() {
		in := bufio.NewScanner(os.Stdin)
		for in.Scan() {
			fmt.Println(calls.Load())
		}
		os.Exit(0)
	}()
	fmt.Println("ready")
	for {
		tid, why, signal, err := t.Wait()
		if errors.Is(err, syscall.ECHILD) {
			select {} // all have ended; the input says when to
		}
		if err != nil {
			return err
		}
		if why == sys.ThreadEnded {
			continue
		}
		if why == sys.StopCall {
			begins, err := t.Begins(tid)
			if err != nil && !errors.Is(err, syscall.ESRCH) {
				return err
			}
			if begins {
				calls.Add(1)
			}
		}
		if err := t.Go(tid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
}
