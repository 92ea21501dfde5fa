package kind

import (
	"context"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/filemap"
	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/queue"
	"github.com/shmkit/shmkit/sysv"
	"github.com/shmkit/shmkit/topic"
)

// The capabilities. Each is as small as a verb needs it, and they are found by
// type assertion: a kind has those whose methods it has.

// Creator makes objects.
type Creator interface {
	// CreateOptions are the options that Create understands.
	CreateOptions() []Option
	// Create makes the object, or opens one that exists and fits what is asked
	// for, unless the options say otherwise; created tells which. It returns what
	// Lister tells of the object.
	Create(a address.Address, o Options) (made Object, created bool, err error)
}

// Lister tells what exists.
type Lister interface {
	// Columns are the columns of a table of the objects, in order.
	Columns() []Column
	// List returns every object of the kind on the machine, also those that the
	// caller may not use.
	List() ([]Object, error)
}

// Stater tells all there is to know about one object.
type Stater interface {
	// Stat returns at least what List does. It needs no permission on the object;
	// what can't be told without is Unknown.
	Stat(a address.Address) (Object, error)
}

// Setter changes owner, mode and the like.
type Setter interface {
	// SetOptions are the options that Set understands.
	SetOptions() []Option
	// Set does what o, which is not empty, says. The error tells how much of it
	// was done.
	Set(a address.Address, o Options) error
}

// Remover removes objects.
type Remover interface {
	// Remove removes the object, and with it what is of no use without it: with are
	// the addresses of these, each in the form of Object.Address.
	Remove(a address.Address) (with []address.Address, err error)
}

// Disposable is a kind whose objects are all made to be shared, so that rm --all may
// remove whatever List tells of. Of files, which are other things besides, that would
// be a disaster.
type Disposable interface {
	Lister
	Remover
	// AllRemovable does nothing.
	AllRemovable()
}

// Locker keeps memory from being swapped out, also when the process that asked for it
// has ended. The memory of other kinds is locked by a process as long as it lives.
type Locker interface {
	Lock(a address.Address) error
	Unlock(a address.Address) error
}

// Limiter tells the limits on all objects of the kind together, and their use.
type Limiter interface {
	Limits() ([]Limit, error)
}

// Memory opens the memory of an object.
type Memory interface {
	// OpenMemory maps the whole object, readable, and writable if write. The
	// caller closes the mapping.
	OpenMemory(a address.Address, write bool) (*shmkit.Mapping, error)
}

// Flusher has memory with a device behind it, to which what is stored is written back.
type Flusher interface {
	// OpenToFlush maps the whole object, readable. The caller closes the mapping.
	OpenToFlush(a address.Address) (*shmkit.Mapping, error)
}

// Scanner reads objects that may be larger than memory.
type Scanner interface {
	// Scan hands the content to do, in ascending order, and holds no more of it in memory
	// than the options say. errors.ErrUnsupported: not of this object.
	Scan(ctx context.Context, a address.Address, o *filemap.ScanOptions, do func(off int64, chunk []byte) error) error
}

// Completer completes addresses of a kind that has more objects than List tells of.
type Completer interface {
	// Complete returns addresses that begin with text, which begins with the kind. One
	// that ends in a slash leads on.
	Complete(text string) []string
}

// Explainer explains why a kind lacks a capability.
type Explainer interface {
	// Without says what to do instead of a verb ("create", "rm --all"), "" if there is
	// nothing to say.
	Without(verb string) string
}

// Semaphores opens an object as a System V semaphore set.
type Semaphores interface {
	OpenSemaphores(a address.Address) (*sysv.SemaphoreSet, error)
}

// Queue opens an object as a System V message queue.
type Queue interface {
	OpenQueue(a address.Address) (*sysv.MessageQueue, error)
}

// WorkQueues opens an object as a work queue of bytes.
type WorkQueues interface {
	// WorkQueueOptions are the options of a queue that OpenWorkQueue makes.
	WorkQueueOptions() []Option
	// OpenWorkQueue opens a queue, or makes it unless it is to be an existing one. One that
	// exists has what the options say that were given.
	OpenWorkQueue(a address.Address, o Options, existing bool) (*queue.Bytes, error)
}

// Topics opens an object as a topic.
type Topics interface {
	// TopicOptions are the options of a topic that OpenTopic makes.
	TopicOptions() []Option
	// OpenTopic opens a topic of bytes, or makes it. One that exists has what the options say that
	// were given.
	OpenTopic(a address.Address, o Options) (*topic.Bytes, error)
	// Subscribe subscribes to one that exists, whatever its messages are.
	Subscribe(a address.Address, o topic.SubscriberOptions) (*topic.BytesSubscriber, error)
}

// Exclusion lets one program at a time run.
type Exclusion interface {
	// OpenLock opens the lock, making it if need be; shared: to hold it together with
	// others that do.
	OpenLock(a address.Address, shared bool) (Lock, error)
}

// A Lock is what pshared.Mutex is, and a pshared.RWMutex for one side.
type Lock interface {
	Name() string
	Lock(ctx context.Context) error
	TryLock() (held bool, err error)
	Unlock() error
	MakeConsistent() error
	Abandon() error
	Close() error
}

// Recoverer puts objects in order that somebody's death left behind.
type Recoverer interface {
	// Recover does what can be done without knowing what the object guards, and says what
	// that was, a sentence each; none if there was nothing to do. reset makes it usable
	// again also where that says nothing of what it guards.
	Recover(ctx context.Context, a address.Address, reset bool) (done []string, err error)
}

// Limit is one limit, or one count without a limit.
type Limit struct {
	Name        string  // JSON and stable: "max_segment_bytes"
	Classic     string  // what the manuals call it: "SHMMAX"; "" if they don't
	Description string  // for people
	Unit        string  // "bytes", "pages" or "" for a plain number
	Max         *uint64 // nil: this only counts
	Used        *uint64 // nil: it limits single objects, of which there is no sum
}
