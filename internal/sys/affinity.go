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

// UseCPU binds the calling thread to one CPU (sched_setaffinity). The goroutine has
// to be locked to it.
func UseCPU(cpu int) error {
	var set unix.CPUSet
	set.Set(cpu)
	return unix.SchedSetaffinity(0, &set)
}
