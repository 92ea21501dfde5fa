package bench

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/shmkit/shmkit/internal/sys"
)

// A place is the CPUs of A and B, -1 for any.
type place struct {
	cpus [2]int
	note string
}

// errOneCPU: two processes that spin need two.
var errOneCPU = errors.New("two processes that wait for each other without sleeping need two CPUs, and this one may use one alone: see taskset(1), or the limits of the container")

// findPlace takes two CPUs that this process may use, of two cores if there are.
func findPlace(pinned bool) (place, error) {
	cpus, err := sys.CPUs()
	switch {
	case err != nil:
		return place{}, err
	case len(cpus) < 2:
		return place{}, errOneCPU
	case !pinned:
		return place{[2]int{-1, -1}, "not bound to CPUs"}, nil
	}
	first := cpus[0]
	for _, other := range cpus[1:] {
		if coreOf(other) != coreOf(first) {
			return place{[2]int{first, other}, fmt.Sprintf("bound to CPUs %d and %d", first, other)}, nil
		}
	}
	return place{[2]int{first, cpus[1]}, fmt.Sprintf("bound to CPUs %d and %d, two threads of one core", first, cpus[1])}, nil
}

// coreOf names the core that a CPU is a thread of. Where the kernel does not tell, each is taken for one.
func coreOf(cpu int) string {
	text, err := os.ReadFile(fmt.Sprintf("/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu))
	if err != nil {
		return strconv.Itoa(cpu)
	}
	return strings.TrimSpace(string(text))
}
