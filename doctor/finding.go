package doctor

import (
	"context"
	"errors"
	"fmt"
)

// Severity says how much a finding matters.
type Severity int

// Severities. A machine is healthy if it has no findings but notices.
const (
	// Notice: it may be meant so. Good to know when something surprises.
	Notice Severity = iota
	// Warning: something was left behind, or a limit is nearly reached.
	Warning
	// Problem: something does not work, or is about to.
	Problem
)

func (s Severity) String() string {
	switch s {
	case Notice:
		return "notice"
	case Warning:
		return "warning"
	case Problem:
		return "problem"
	}
	return fmt.Sprintf("severity %d", int(s))
}

// Kinds of finding. The words are stable.
const (
	LeakedSegment   = "leaked-segment"   // System V, attached by nobody, its makers gone
	DetachedSegment = "detached-segment" // the same, but who made or used it may live
	IdleSemaphores  = "idle-semaphores"  // System V set whose last users are gone
	IdleQueue       = "idle-queue"       // System V message queue whose last users are gone

	UnusedObject  = "unused-object"  // POSIX object that nobody has open or mapped
	UnusedFile    = "unused-file"    // file in a directory of /dev/shm, likewise
	TooYoung      = "too-young"      // things that nobody seems to use, and that were used a short while ago
	Unopenable    = "unopenable"     // name that cannot be opened as what it should be
	StaleName     = "stale-name"     // name that a process which died left half made
	DeadMembers   = "dead-members"   // object of shmkit with members that died
	Abandoned     = "abandoned"      // object of shmkit that nobody living has open
	Orphaned      = "orphaned"       // the same, but it has something to tell, or items in it
	Persistent    = "persistent"     // the same, but it is to stay
	Limit         = "limit"          // a limit is nearly reached, or is
	HugePages     = "huge-pages"     // a pool of huge pages has none left
	HugeShmem     = "huge-shmem"     // shmem_enabled: huge pages for all shared memory, or for none
	SmallShm      = "small-shm"      // /dev/shm of a container, as small as they come
	ShmMissing    = "shm-missing"    // no /dev/shm, or it is no tmpfs, or read-only
	ShmMode       = "shm-mode"       // mode of /dev/shm that not everybody can use, or everybody remove from
	ShmNoExec     = "shm-noexec"     // nothing in it can be mapped for execution
	RemoveIPC     = "remove-ipc"     // logind removes what a user has when he logs out
	ProtectedOpen = "protected-open" // fs.protected_regular
	RemoveForced  = "remove-forced"  // kernel.shm_rmid_forced
	NoLeases      = "no-leases"      // fs.leases-enable: what is unused cannot be known
)

// A Finding is one thing that Examine found.
type Finding struct {
	Kind     string // one of the words above
	Severity Severity
	Object   string // address of the object, "" if it is about the machine; for Limit its name
	Summary  string // what was found
	Meaning  string // what that means
	Evidence string // how it is known
	Command  string // what mends it; "" if nothing does
	// Fixable: Fix may mend it. Action says what it does then: "remove it". If not, of what looks unused,
	// Kept says why not.
	Fixable bool
	Action  string
	Kept    string

	mend func(context.Context) error
}

// The actions of Fix.
const (
	removeIt = "remove it"
	sweepIt  = "take its dead members out"
)

// mendBy makes a finding fixable.
func (f *Finding) mendBy(action string, mend func(context.Context) error) {
	f.Fixable, f.Action, f.Kept, f.mend = true, action, "", mend
}

// Errors that Fix wraps.
var (
	// ErrInUse: it is in use by now, or may be. Nothing was done.
	ErrInUse = errors.New("it is in use")
	// ErrRecent: it is too young, or was used too lately, to be called unused. Nothing was done.
	ErrRecent = errors.New("it was used too lately to be called unused")
	// ErrChanged: it is not what was examined any more. Nothing was done.
	ErrChanged = errors.New("it has changed since it was examined")
	// ErrNotFixable: Fix has no way to mend such a finding.
	ErrNotFixable = errors.New("nothing mends it that is safe without knowing more")
	// ErrUnknown: whether it is in use cannot be known. Nothing was done.
	ErrUnknown = errors.New("whether it is in use cannot be known")
)

// Fix mends a finding of Examine: it proves again that nobody uses the object, and removes it, or
// takes the records of the dead out of it. What is gone by itself is no error. It touches nothing
// else.
func Fix(ctx context.Context, f Finding) error {
	if !f.Fixable || f.mend == nil {
		return fmt.Errorf("%s: %w", f.Object, ErrNotFixable)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := f.mend(ctx); err != nil {
		return fmt.Errorf("%s: %w", f.Object, err)
	}
	return nil
}

// Healthy reports whether there is nothing but notices.
func Healthy(findings []Finding) bool {
	for _, f := range findings {
		if f.Severity > Notice {
			return false
		}
	}
	return true
}
