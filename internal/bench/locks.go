package bench

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/sysv"
)

// A lock is a way to exclude the other process, or, of one that is for reading, to exclude those who do.
type lock struct {
	name  string
	about string
	// here: it is between goroutines of one process.
	here bool
	// ours: it is shmkit's.
	ours bool
	// shared: several hold it at a time, and change nothing.
	// lockers of such a one know how to exclude its readers as well, if they are of two processes.
	shared  bool
	prepare func(*props) error
	open    func(*room) (locker, error)
}

// A locker is a lock as one process has it.
type locker struct {
	lock, unlock func() error
	// write, written: who has a lock for reading excludes readers. nil: the lock is none, or between goroutines.
	write, written func() error
	io.Closer      // nil: nothing is to be closed
}

// yardstick: what others are measured against.
func (l lock) yardstick(group string) bool {
	return group == GroupAlone && l.here
}

// moreLocks are those of tests.
var moreLocks []lock

// allLocks are all there are.
func allLocks() []lock {
	all := []lock{
		{name: "sync.Mutex", about: "Lock and Unlock, in one process", here: true, open: func(*room) (locker, error) {
			var mu sync.Mutex
			return locker{lock: func() error { mu.Lock(); return nil }, unlock: func() error { mu.Unlock(); return nil }}, nil
		}},
		{name: "sync.RWMutex read", about: "RLock and RUnlock, in one process", here: true, shared: true, open: func(*room) (locker, error) {
			var mu sync.RWMutex
			return locker{lock: func() error { mu.RLock(); return nil }, unlock: func() error { mu.RUnlock(); return nil }}, nil
		}},
		{name: "Mutex", ours: true, about: "Lock and Unlock of a pshared.Mutex", open: func(r *room) (locker, error) {
			mu, err := pshared.OpenMutex("lock", lockOptions(r))
			if err != nil {
				return locker{}, err
			}
			return locker{lock: func() error { return mu.Lock(r.ctx) }, unlock: mu.Unlock, Closer: mu}, nil
		}},
		{name: "RWMutex write", ours: true, about: "Lock and Unlock of a pshared.RWMutex", open: func(r *room) (locker, error) {
			mu, err := pshared.OpenRWMutex("lock", lockOptions(r))
			if err != nil {
				return locker{}, err
			}
			return locker{lock: func() error { return mu.Lock(r.ctx) }, unlock: mu.Unlock, Closer: mu}, nil
		}},
		{name: "RWMutex read", ours: true, about: "RLock and RUnlock of a pshared.RWMutex", shared: true, open: func(r *room) (locker, error) {
			mu, err := pshared.OpenRWMutex("lock", lockOptions(r))
			if err != nil {
				return locker{}, err
			}
			return locker{lock: func() error { return mu.RLock(r.ctx) }, unlock: mu.RUnlock, write: func() error { return mu.Lock(r.ctx) }, written: mu.Unlock, Closer: mu}, nil
		}},
		{name: "Semaphore", ours: true, about: "Acquire and Release of the one permit of a pshared.Semaphore", open: func(r *room) (locker, error) {
			s, err := pshared.OpenSemaphore("lock", 1, lockOptions(r))
			if err != nil {
				return locker{}, err
			}
			return locker{lock: func() error { return s.Acquire(r.ctx, 1) }, unlock: func() error { return s.Release(1) }, Closer: s}, nil
		}},
	}
	return append(append(all, semaphoreLocks()...), append([]lock{fileLock()}, moreLocks...)...)
}

func lockOptions(r *room) *pshared.Options { return &pshared.Options{Dir: r.dir} }

// semaphoreLocks are a System V semaphore as a lock.
func semaphoreLocks() (all []lock) {
	for _, undo := range []bool{false, true} {
		l := lock{name: "sysv semaphore", about: "semop(2) twice"}
		if undo {
			l.name, l.about = "sysv semaphore undo", "semop(2) twice, with SEM_UNDO"
		}
		l.prepare = func(p *props) error {
			set, err := sysv.CreateSemaphores(sysv.Private, 1, 0o600)
			if err != nil {
				return err
			}
			p.keep("sem", set.ID())
			return set.SetValue(0, 1)
		}
		l.open = func(r *room) (locker, error) {
			set, err := sysv.OpenSemaphoresID(r.ids[0])
			if err != nil {
				return locker{}, err
			}
			wait, post := sysv.Wait(0), sysv.Post(0)
			if undo {
				wait, post = wait.Undo(), post.Undo()
			}
			return locker{lock: func() error { return set.Op(r.ctx, wait) }, unlock: func() error { return set.TryOp(post) }}, nil
		}
		all = append(all, l)
	}
	return all
}

// fileLock is an open file description lock.
func fileLock() lock {
	return lock{name: "file lock", about: "fcntl(F_OFD_SETLKW) twice", open: func(r *room) (locker, error) {
		f, err := os.OpenFile(filepath.Join(r.dir, "file"), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return locker{}, err
		}
		fd := int(f.Fd())
		set := func(kind int16) func() error {
			return func() error {
				for {
					if err := sys.OFDLock(fd, kind, 0, 1, true); err != syscall.EINTR {
						return os.NewSyscallError("fcntl", err)
					}
				}
			}
		}
		return locker{lock: set(sys.F_WRLCK), unlock: set(sys.F_UNLCK), Closer: f}, nil
	}}
}

func findLock(name string) (lock, error) {
	for _, l := range allLocks() {
		if l.name == name {
			return l, nil
		}
	}
	return lock{}, fmt.Errorf("there is no lock %q", name)
}

func prepareLock(t Trial, p *props) error {
	l, err := findLock(t.Way)
	if err != nil || l.prepare == nil {
		return err
	}
	return l.prepare(p)
}

// A locking is a side that takes a lock and gives it back; A alone, or both. Under one that excludes, both add one to
// a word, not atomically: none may be lost. Under one for reading, when it is verified, both look at two words that are equal but
// while somebody writes, and each writes now and then.
type locking struct {
	locker
	r      *room
	shared bool
	both   bool
	added  uint64 // by both, so far
	took   int64
}

func openLocking(r *room) (side, error) {
	l, err := findLock(r.Way)
	if err != nil {
		return nil, err
	}
	s := &locking{r: r, shared: l.shared, both: r.Group == GroupBoth}
	if !s.both && !s.r.first {
		return s, nil
	}
	s.locker, err = l.open(r)
	return s, err
}

func (s *locking) run(n int, _ *recorder) error {
	m := s.r.words.Data()
	word := &m.Free[4].Word
	begin := now()
	if s.r.first || s.both {
		for i := range n {
			if s.shared && s.both && s.r.pay.check {
				if err := s.read(i); err != nil {
					return err
				}
				continue
			}
			if err := s.lock(); err != nil {
				return err
			}
			if !s.shared {
				word.Store(word.Load() + 1)
			}
			if err := s.unlock(); err != nil {
				return err
			}
		}
	}
	s.added += uint64(n)
	if s.both {
		// Who is ready waits for the other, and the time is both's.
		ends := &m.Free[5+s.r.who()].Word
		ends.Store(s.added)
		await(&m.Free[5+1-s.r.who()].Word, s.added)
	}
	s.took = now() - begin
	return s.verify(word.Load())
}

// read reads under the lock, or each eighth time writes.
func (s *locking) read(i int) error {
	m := s.r.words.Data()
	begun, ended := &m.Free[2].Word, &m.Free[3].Word
	if i%8 == 0 {
		if err := s.write(); err != nil {
			return err
		}
		begun.Store(begun.Load() + 1)
		for range 100 { // long enough for who reads to see it
			_ = ended.Load()
		}
		ended.Store(begun.Load())
		return s.written()
	}
	if err := s.lock(); err != nil {
		return err
	}
	before := begun.Load()
	for range 20 {
		_ = ended.Load()
	}
	if now := ended.Load(); now != before {
		return fmt.Errorf("who reads under the lock sees %d written halfway, behind %d: it does not keep writers out", before, now)
	}
	return s.unlock()
}

// verify looks whether all that was added is there.
func (s *locking) verify(got uint64) error {
	want := s.added
	if s.both {
		want *= 2
	}
	if s.shared || !s.r.first && !s.both || got == want {
		return nil
	}
	return fmt.Errorf("of %d additions under the lock %d are left: it does not exclude", want, got)
}

// spent is what one of both operations takes.
func (s *locking) spent() int64 {
	if s.both {
		return s.took / 2
	}
	return s.took
}

func (s *locking) memory() int64 { return -1 }

func (s *locking) close() error {
	if s.Closer == nil {
		return nil
	}
	return s.Closer.Close()
}
