package bench

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"

	"github.com/shmkit/shmkit/internal/sys"
)

// traceRole counts the system calls of processes. It says "ready" when all their threads are traced, answers
// each line of its input with how many there were so far, and ends with its input: then they go on as before.
func traceRole(pids []int) error {
	var t sys.Tracer
	for _, pid := range pids {
		if err := seizeAll(t, pid); err != nil {
			return err
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

// seizeAll traces all threads of a process, those included that come meanwhile.
func seizeAll(t sys.Tracer, pid int) error {
	seized := map[int]bool{}
	for more := true; more; {
		more = false
		tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		if err != nil {
			return err
		}
		for _, task := range tasks {
			tid, err := strconv.Atoi(task.Name())
			if err != nil || seized[tid] {
				continue
			}
			seized[tid], more = true, true
			// EPERM: it was started by one that is traced already, and is so as well.
			if err := t.Seize(tid); err != nil && !errors.Is(err, syscall.ESRCH) && (len(seized) == 1 || !errors.Is(err, syscall.EPERM)) {
				return fmt.Errorf("trace process %d: %w", pid, err)
			}
		}
	}
	return nil
}
