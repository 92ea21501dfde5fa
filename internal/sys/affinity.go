package sys

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// UsableCPUs is how many CPUs the threads of this process may run on, all of them
// together (sched_getaffinity). Unlike runtime.NumCPU, which was read when the process
// began, it is current. If the calling thread has several no other is asked.
func UsableCPUs() (int, error) {
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil || all.Count() > 1 {
		return all.Count(), err
	}
	err := eachThread(func(tid int) error {
		var set unix.CPUSet
		if unix.SchedGetaffinity(tid, &set) == nil { // it may have ended
			for i := range all {
				all[i] |= set[i]
			}
		}
		return nil
	})
	return all.Count(), err
}

// eachThread calls f for each thread of this process.
func eachThread(f func(tid int) error) error {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, task := range tasks {
		tid, err := strconv.Atoi(task.Name())
		if err != nil {
			return err
		}
		if err := f(tid); err != nil {
			return err
		}
	}
	return nil
}

// CPUs returns the numbers of the CPUs that the calling thread may run on, in order.
func CPUs() ([]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, err
	}
	var all []int
	for cpu, left := 0, set.Count(); left > 0; cpu++ {
		if set.IsSet(cpu) {
			all = append(all, cpu)
			left--
		}
	}
	return all, nil
}

// UseCPUs binds the calling thread to CPUs (sched_setaffinity). The goroutine has to be
// locked to it.
func UseCPUs(cpus ...int) error {
	var set unix.CPUSet
	for _, cpu := range cpus {
		set.Set(cpu)
	}
	return unix.SchedSetaffinity(0, &set)
}

// Yield lets another thread have the CPU, if one waits for it (sched_yield).
func Yield() {
	_, _, _ = unix.Syscall(unix.SYS_SCHED_YIELD, 0, 0, 0) // it cannot fail
}

// UseOneCPU binds all threads of this process to one CPU, and returns what undoes it.
func UseOneCPU(cpu int) (undo func() error, err error) {
	var old, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &old); err != nil {
		return nil, err
	}
	one.Set(cpu)
	bind := func(set *unix.CPUSet) error {
		return eachThread(func(tid int) error {
			if err := unix.SchedSetaffinity(tid, set); err != nil && err != unix.ESRCH {
				return err
			}
			return nil
		})
	}
	return func() error { return bind(&old) }, bind(&one)
}
