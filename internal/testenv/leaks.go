package testenv

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// leakPatience is how long what is already ending (a goroutine on its way out, a
// killed child's exit) may take before it counts as left behind.
const leakPatience = 5 * time.Second

// A state is everything of this process, and of this process on the machine,
// that a test could leave behind.
type state struct {
	descriptors map[int]string // number to what it refers to
	mappings    map[string]bool
	children    map[int]string // pid to command and state
	names       map[string]bool
	ids         map[SysVID]bool
	goroutines  goleak.Option // ignores those that existed
}

// observe takes stock.
func observe() (state, error) {
	s := state{names: map[string]bool{}, ids: map[SysVID]bool{}}
	var err error
	if s.descriptors, err = openDescriptors(); err != nil {
		return s, err
	}
	if s.mappings, err = sharedMappings(); err != nil {
		return s, err
	}
	if s.children, err = children(); err != nil {
		return s, err
	}
	names, err := ownNames()
	if err != nil {
		return s, err
	}
	for _, n := range names {
		s.names[n] = true
	}
	ids, err := SysVIDs()
	if err != nil {
		return s, err
	}
	for _, id := range ids {
		s.ids[id] = true
	}
	s.goroutines = goleak.IgnoreCurrent()
	return s, nil
}

// leaks lists what is there now and wasn't before, once it has stopped shrinking
// to nothing. The System V objects among it are removed, where they are surely
// ours: nobody else would.
func leaks(before state) []string {
	var left []string
	poll(leakPatience, func() bool {
		runtime.GC() // which gives back what is closed with the last pointer to it
		left = before.leftNow()
		return len(left) == 0
	})
	if len(left) == 0 {
		return nil
	}
	if ids, err := SysVIDs(); err == nil {
		for _, id := range ids {
			if !before.ids[id] && (ownKey(id.Key) || id.Creator == os.Getpid()) {
				if err := id.Remove(); err != nil {
					left = append(left, err.Error())
				}
			}
		}
	}
	return left
}

// CheckLeaks makes the test fail when at its end something is left that was not there at
// the call, as Main does for all tests together. What tests that run at the same time
// have open counts as well.
func CheckLeaks(t testing.TB) {
	t.Helper()
	before, err := observe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, l := range leaks(before) {
			t.Errorf("left behind: %s", l)
		}
	})
}

func (before state) leftNow() []string {
	now, err := observe()
	if err != nil {
		return []string{err.Error()}
	}
	var left []string
	for _, fd := range slices.Sorted(maps.Keys(now.descriptors)) {
		if target := now.descriptors[fd]; before.descriptors[fd] != target {
			left = append(left, fmt.Sprintf("descriptor %d: %s", fd, target))
		}
	}
	for _, m := range slices.Sorted(maps.Keys(now.mappings)) {
		if !before.mappings[m] {
			left = append(left, "mapping: "+m)
		}
	}
	for _, pid := range slices.Sorted(maps.Keys(now.children)) {
		if _, ok := before.children[pid]; !ok {
			left = append(left, fmt.Sprintf("child process %d: %s", pid, now.children[pid]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(now.names)) {
		if !before.names[name] {
			left = append(left, shmDir+"/"+name)
		}
	}
	for id := range now.ids {
		if !before.ids[id] && ours(id) {
			left = append(left, id.String())
		}
	}
	if err := goleak.Find(before.goroutines, IgnoreSpawner()); err != nil {
		left = append(left, "goroutines: "+err.Error())
	}
	return left
}

// IgnoreSpawner is for tests that use goleak themselves: it excuses the one
// goroutine that Start keeps for the life of the process.
func IgnoreSpawner() goleak.Option {
	return goleak.IgnoreAnyFunction("github.com/shmkit/shmkit/internal/testenv.spawnLoop")
}

// ours reports whether this process or a child of it made the object. Other test
// processes make objects in the same namespace at the same time.
func ours(id SysVID) bool {
	if private, err := inPrivateIPC(); err == nil && private || madeOwnIPC() {
		return true
	}
	if ownKey(id.Key) || id.Creator == os.Getpid() {
		return true
	}
	// The pid of a child that ended may by now be somebody else's.
	return descendants.has(id.Creator) && !alive(id.Creator)
}

// Started tells of a process that was not started by this package, but is a child all the
// same: what it makes is ours.
func Started(pid int) { descendants.add(pid) }

// OurSysVIDs lists the objects that this process or a child of it has made. In a namespace
// that is not the tests' own, where others make some too, it has only those of which that is
// known: segments, and what has a key of the tests.
func OurSysVIDs() ([]SysVID, error) {
	all, err := SysVIDs()
	return slices.DeleteFunc(all, func(id SysVID) bool { return !ours(id) }), err
}

// warmUp makes the runtime open what it opens at first use and then keeps: the
// descriptors of its poller.
func warmUp() {
	if r, w, err := os.Pipe(); err == nil {
		r.Close()
		w.Close()
	}
}

// fuzzing reports whether this process is part of a go test -fuzz run, whose
// engine keeps pipes, mappings and workers of its own.
func fuzzing() bool {
	for _, name := range []string{"test.fuzzworker", "test.fuzz"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != f.DefValue {
			return true
		}
	}
	return false
}
