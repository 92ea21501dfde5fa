package doctor

import (
	"cmp"
	"os"
	"path/filepath"
	"time"
)

// Options say where to look. nil is the machine as it is.
type Options struct {
	// Proc is where processes, settings and System V limits are read; "" is /proc. Of any other the
	// System V objects are not looked at: those that can be removed are this machine's.
	Proc string
	// Shm is where POSIX objects are; "" is /dev/shm.
	Shm string
	// Dir is where shmkit's own objects are. "": the directory that SHMKIT_DIR names, and this user's
	// in Shm, shmkit-UID, of which root sees all users'.
	Dir string
	// Root is where etc, run, usr, var and sys are; "" is /.
	Root string
	// Age is how long nothing must have happened to an object before it can be called unused: 0 is an
	// hour, less than 0 no time at all.
	Age time.Duration
	// Areas are what is looked at; 0 is all.
	Areas Areas
}

// Areas are sets of what Examine looks at.
type Areas uint

// Areas.
const (
	SystemV  Areas = 1 << iota // segments, semaphore sets and message queues that were left behind
	Shared                     // shmkit's own objects
	Files                      // POSIX objects and files in /dev/shm
	Limits                     // what is nearly used up
	Settings                   // what the machine is told to do with shared memory
)

// DefaultAge is how old things must be to be called unused, if nothing else is said.
const DefaultAge = time.Hour

func (o *Options) proc(elem ...string) string {
	return filepath.Join(append([]string{cmp.Or(o.Proc, "/proc")}, elem...)...)
}

func (o *Options) shm() string { return cmp.Or(o.Shm, "/dev/shm") }

func (o *Options) root(elem ...string) string {
	return filepath.Join(append([]string{cmp.Or(o.Root, "/")}, elem...)...)
}

func (o *Options) age() time.Duration {
	switch {
	case o.Age < 0:
		return 0
	case o.Age == 0:
		return DefaultAge
	}
	return o.Age
}

// live reports whether processes are those of this machine, and not of a fixture.
func (o *Options) live() bool { return filepath.Clean(o.proc()) == "/proc" }

// gone reports whether there is no process with a number that anybody could be.
func (o *Options) gone(pid int) bool {
	if o.live() && processExists(pid) {
		return false
	}
	_, err := os.Lstat(o.proc(itoa(pid)))
	return os.IsNotExist(err)
}
