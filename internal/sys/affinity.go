package sys

import "golang.org/x/sys/unix"

// UsableCPUs is how many CPUs the calling thread may run on (sched_getaffinity).
// Unlike runtime.NumCPU, which was read when the process began, it is current.
func UsableCPUs() (int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return 0, err
	}
	return set.Count(), nil
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
