package inspect

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Options say where to look, and for what. nil is the machine as it is.
type Options struct {
	// Proc is where processes are, and System V objects in sysvipc below it; "" is /proc.
	Proc string
	// Shm is where POSIX objects are; "" is /dev/shm.
	Shm string
	// Dir is where shmkit's own objects are. "": the directory that SHMKIT_DIR names, and those of
	// users in Shm: shmkit-UID, which root sees all of.
	Dir string
	// Kinds are those that are wanted, of [Kinds]; nil is all. What is System V's and not among them Snapshot.Object
	// does not know either.
	Kinds []string
	// Deep is what takes smaps of every process that uses an object: how much of it is resident there, and
	// locked. The kernel walks the page tables of the whole process for that. Snapshot.Object always does it.
	Deep bool
}

// Kinds of object.
const (
	KindSegment      = "sysv"
	KindSemaphores   = "sem"
	KindMessageQueue = "msg"
	KindPOSIX        = "posix"
	KindMemfd        = "memfd"
	KindFile         = "file" // mapped shared by more than one process or for writing, or in a folder of Shm
	KindMap          = "map"  // memory without a name, shared with children: MAP_SHARED | MAP_ANONYMOUS
	KindQueue        = "queue"
	KindTopic        = "topic"
)

// Kinds returns all kinds of object: those above, and those of package pshared.
func Kinds() []string { return slices.Concat(systemKinds, ownKinds) }

func (o *Options) proc() string { return filepath.Clean(cmp.Or(o.Proc, "/proc")) }
func (o *Options) shm() string  { return filepath.Clean(cmp.Or(o.Shm, "/dev/shm")) }

// check refuses kinds that there are not.
func (o *Options) check() error {
	for _, k := range o.Kinds {
		if !slices.Contains(Kinds(), k) {
			return fmt.Errorf("inspect: no kind is called %q; there are %s", k, strings.Join(Kinds(), ", "))
		}
	}
	return nil
}

// wants reports whether one of the kinds is wanted.
func (o *Options) wants(kinds ...string) bool {
	return o.Kinds == nil || slices.ContainsFunc(kinds, func(k string) bool { return slices.Contains(o.Kinds, k) })
}
