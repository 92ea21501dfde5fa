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
	all    []int  // that this process may use
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
		return place{all: cpus, note: "not bound to CPUs"}, nil
	}
	p := place{pinned: true, cpus: [2]int{cpus[0], cpus[1]}, all: cpus}
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

// bound reports whether the two threads of a work are bound to CPUs.
func (p place) bound(w work) bool { return p.pinned && !w.free }

// child is the CPU of the child as text, "" for any.
func (p place) child(w work) string {
	switch {
	case !p.bound(w):
		return ""
	case w.together:
		return strconv.Itoa(p.cpus[0])
	}
	return strconv.Itoa(p.cpus[1])
}

// run calls f on a locked thread, which is bound to the parent's CPU if it is to be.
func (p place) run(f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if !p.pinned {
		return f()
	}
	return p.on(p.cpus[:1], p.all, f)
}

// loose calls f with the thread of run bound to no CPU: for what inherits that, and for works
// that are free.
func (p place) loose(f func() error) error {
	if !p.pinned {
		return f()
	}
	return p.on(p.all, p.cpus[:1], f)
}

// on binds the calling thread while it calls f, and otherwise afterwards.
func (p place) on(cpus, afterwards []int, f func() error) (err error) {
	if err := sys.UseCPUs(cpus...); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sys.UseCPUs(afterwards...)) }()
	return f()
}
