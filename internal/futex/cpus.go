package futex

import (
	"runtime"
	"sync/atomic"

	"github.com/shmkit/shmkit/internal/sys"
)

// How many CPUs this process has to run on.
const (
	cpusUnknown = iota
	cpusOne
	cpusSeveral
)

// What lookAtCPUs found, and how often it was asked.
var cpus, looks atomic.Uint32

// several is 1 if this process has several CPUs, else 0.
func several() int32 {
	switch cpus.Load() {
	case cpusSeveral:
		return 1
	case cpusUnknown:
		lookClosely()
		return several()
	}
	return 0
}

// lookAtCPUs keeps several current. It is called before a sleep, where it costs little
// beside: how many goroutines may run at once (GOMAXPROCS) is looked at each time, what
// the kernel allows each 64th time, with a system call.
func lookAtCPUs() {
	one := runtime.GOMAXPROCS(0) == 1
	if looks.Add(1)%64 == 0 || one != (cpus.Load() == cpusOne) {
		lookClosely()
	}
}

func lookClosely() {
	usable, err := sys.UsableCPUs()
	if runtime.GOMAXPROCS(0) == 1 || err == nil && usable == 1 {
		cpus.Store(cpusOne)
	} else {
		cpus.Store(cpusSeveral)
	}
}
