package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/shmkit/shmkit/internal/sys"
)

// A place is where the two processes run.
type place struct {
	pinned bool
	cpus   [2]int // of the parent, of the child
	note   string // what is to be known about them
}

// ErrOneCPU: two processes that spin need two.
var errOneCPU = errors.New("this needs two CPUs, and this process may use one alone")

// findPlace takes two CPUs that this process may use, on two cores if there are.
func findPlace(pinned bool) (place, error) {
	cpus, err := sys.CPUs()
	if err != nil {
		return place{}, err
	}
	if len(cpus) < 2 {
		return place{}, errOneCPU
	}
	if !pinned {
		return place{note: "not bound to CPUs"}, nil
	}
	p := place{pinned: true, cpus: [2]int{cpus[0], cpus[1]}}
	core := coreOf(cpus[0])
	for _, other := range cpus[1:] {
		if coreOf(other) != core {
			p.cpus[1] = other
			p.note = fmt.Sprintf("bound to CPUs %d and %d", p.cpus[0], other)
			return p, nil
		}
	}
	p.note = fmt.Sprintf("bound to CPUs %d and %d, two threads of one core", p.cpus[0], p.cpus[1])
	return p, nil
}

// coreOf names the core that a CPU is a thread of. Where the kernel does not tell, each CPU is
// taken for one.
func coreOf(cpu int) string {
	text, err := os.ReadFile(fmt.Sprintf("/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu))
	if err != nil {
		return strconv.Itoa(cpu)
	}
	return strings.TrimSpace(string(text))
}

// child is the CPU of the child as text, "" for any.
func (p place) child(w work) string {
	switch {
	case !p.pinned:
		return ""
	case w.together:
		return strconv.Itoa(p.cpus[0])
	}
	return strconv.Itoa(p.cpus[1])
}

// run calls f on a locked thread, in its place. The thread is as it was afterwards.
func (p place) run(f func() error) (err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if !p.pinned {
		return f()
	}
	before, err := sys.CPUs()
	if err != nil {
		return err
	}
	if err := sys.UseCPUs(p.cpus[0]); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sys.UseCPUs(before...)) }()
	return f()
}
