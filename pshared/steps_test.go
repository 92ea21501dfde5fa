package pshared_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

// stage is an object with this member, another, and two who are gone: one left, and of one
// there is only the generation, which is what the dead leave.
type stage struct {
	m, other         *pshared.Mutex
	me, his, d, left uint32 // as owners
}

func newStage(t *testing.T) stage {
	t.Helper()
	dir := shmtest.Dir(t)
	come := func() *pshared.Mutex {
		m, err := pshared.OpenMutex("x", &pshared.Options{Dir: dir})
		must(t, err)
		return m
	}
	s := stage{m: openMutex(t, dir, "x"), other: openMutex(t, dir, "x")}
	first := come()
	must(t, first.Close())
	again := come() // in the same slot
	last := come()
	must(t, last.Close())
	s.me, s.his, s.d, s.left = s.m.Me(), s.other.Me(), first.Me(), last.Me()
	if again.Me() != s.d+1 {
		t.Fatalf("slots are not used again: %#x after %#x", again.Me(), s.d)
	}
	t.Cleanup(func() { // before the two are closed
		s.m.Word().SetState(0)
		must(t, again.Close())
	})
	return s
}

// Operations that do not wait leave the two words as docs/abi/mutex.md says. Marks matter:
// one that is lost leaves somebody asleep until the next tick, and no test of what comes out
// in the end sees that.
func TestEveryStepOfTheMutexWritesWhatIsDocumented(t *testing.T) {
	s := newStage(t)
	const W, I, lost = pshared.Waiters, pshared.InconsistentOf, pshared.Lost
	me, his, d, left := s.me, s.his, s.d, s.left
	corrupt := d + 5
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	type op func() error
	var (
		lock op = func() error { return s.m.Lock(limited(t)) }
		late op = func() error { return s.m.Lock(gone) } // marks, and gives up
		try  op = func() error {
			held, err := s.m.TryLock()
			if !held && err == nil {
				return errNotFree
			}
			return err
		}
		unlock, repair, abandon, reset op = s.m.Unlock, s.m.MakeConsistent, s.m.Abandon, s.m.Reset
	)
	type words struct{ state, hurry uint32 }
	for _, c := range []struct {
		name   string
		do     op
		before words
		want   error
		after  words
	}{
		{"lock, free", lock, words{0, 0}, nil, words{me, 0}},
		{"lock, free, somebody in a hurry", lock, words{W, 1}, nil, words{W | me, 0}},
		{"lock, abandoned", lock, words{I, 0}, pshared.ErrOwnerDead, words{I | me, 0}},
		{"lock, the owner dead", lock, words{d, 0}, pshared.ErrOwnerDead, words{W | I | me, 0}},
		{"lock, the owner dead, with waiters", lock, words{W | d, 0}, pshared.ErrOwnerDead, words{W | I | me, 0}},
		{"lock, the owner dead before it had repaired", lock, words{I | d, 0}, pshared.ErrOwnerDead, words{W | I | me, 0}},
		{"lock, the owner left", lock, words{left, 0}, nil, words{me, 0}},
		{"lock, the owner left, with waiters", lock, words{W | left, 0}, nil, words{W | me, 0}},
		{"lock, the owner left what it was told of", lock, words{I | left, 0}, pshared.ErrOwnerDead, words{I | me, 0}},
		{"lock, lost", lock, words{lost, 0}, pshared.ErrNotRecoverable, words{lost, 0}},
		{"lock, corrupt", lock, words{corrupt, 0}, pshared.ErrCorrupt, words{corrupt, 0}},
		{"lock, held, too late", late, words{his, 0}, context.Canceled, words{W | his, 0}},
		{"lock, held with waiters, too late", late, words{W | I | his, 1}, context.Canceled, words{W | I | his, 1}},
		{"try, free", try, words{0, 0}, nil, words{me, 0}},
		{"try, held", try, words{his, 0}, errNotFree, words{his, 0}},
		{"try, held by this one", try, words{me, 0}, errNotFree, words{me, 0}},
		{"try, the owner dead", try, words{d, 1}, pshared.ErrOwnerDead, words{W | I | me, 1}},
		{"unlock", unlock, words{me, 0}, nil, words{0, 0}},
		{"unlock, nobody waits, somebody was in a hurry", unlock, words{me, 1}, nil, words{0, 1}},
		{"unlock, with waiters", unlock, words{W | me, 0}, nil, words{0, 0}},
		{"unlock, somebody in a hurry", unlock, words{W | me, 1}, nil, words{W, 1}},
		{"unlock, unrepaired", unlock, words{W | I | me, 1}, nil, words{lost, 1}},
		{"unlock another's", unlock, words{W | his, 0}, pshared.ErrNotHeld, words{W | his, 0}},
		{"unlock what a dead one left", unlock, words{d, 0}, pshared.ErrNotHeld, words{d, 0}},
		{"unlock, free", unlock, words{W, 0}, pshared.ErrNotHeld, words{W, 0}},
		{"unlock, lost", unlock, words{lost, 0}, pshared.ErrNotHeld, words{lost, 0}},
		{"repair", repair, words{I | me, 0}, nil, words{me, 0}},
		{"repair, with waiters", repair, words{W | I | me, 0}, nil, words{W | me, 0}},
		{"repair what is in order", repair, words{W | me, 0}, nil, words{W | me, 0}},
		{"repair another's", repair, words{I | his, 0}, pshared.ErrNotHeld, words{I | his, 0}},
		{"repair, nobody's", repair, words{I, 0}, pshared.ErrNotHeld, words{I, 0}},
		{"abandon", abandon, words{W | I | me, 1}, nil, words{I, 1}},
		{"abandon what is in order", abandon, words{me, 0}, pshared.ErrNotHeld, words{me, 0}},
		{"abandon another's", abandon, words{I | his, 0}, pshared.ErrNotHeld, words{I | his, 0}},
		{"reset, lost", reset, words{lost, 0}, nil, words{0, 0}},
		{"reset, corrupt", reset, words{W | corrupt, 0}, nil, words{0, 0}},
		{"reset, free", reset, words{W, 0}, nil, words{W, 0}},
		{"reset, abandoned", reset, words{I, 0}, pshared.ErrNotHeld, words{I, 0}},
		{"reset, held", reset, words{W | his, 0}, pshared.ErrNotHeld, words{W | his, 0}},
		{"reset, the owner dead", reset, words{d, 0}, pshared.ErrNotHeld, words{d, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := s.m.Word()
			w.SetHurry(c.before.hurry)
			w.SetState(c.before.state)
			if err := c.do(); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if now := (words{w.State(), w.Hurry()}); now != c.after {
				t.Errorf("%#x leaves %#x, documented as %#x", c.before, now, c.after)
			}
		})
	}
}

var errNotFree = errors.New("held by somebody else")

// Who has slept keeps the mark for the others, and says that it is in a hurry when it has
// waited for long, until it has the lock.
func TestWhoSleptKeepsTheMark(t *testing.T) {
	s := newStage(t)
	w := s.m.Word()
	lock(t, s.other)
	waiting := begin(func() error { return s.m.Lock(limited(t)) })
	shmtest.Eventually(t, "it sleeps, and is in a hurry", func() bool {
		must(t, w.Wake())
		return w.State() == pshared.Waiters|s.his && w.Hurry() == 1
	})
	unlock(t, s.other)
	must(t, <-waiting)
	if w.State() != pshared.Waiters|s.me || w.Hurry() != 0 {
		t.Errorf("state %#x, hurry %d", w.State(), w.Hurry())
	}
	unlock(t, s.m)
}

// Who was about to take the lock when its handle was closed takes it, perhaps, and gives it
// back: what a dead owner left as that, for others to be told.
func TestWhoTakesTheLockLateGivesItBack(t *testing.T) {
	for _, c := range []struct {
		name          string
		before, after uint32
		late          func(m *pshared.Mutex) error
	}{
		{"free", 0, 0, (*pshared.Mutex).LockLate},
		{"with waiters", pshared.Waiters, 0, tryLate},
		{"a dead owner's", pshared.InconsistentOf, pshared.InconsistentOf, tryLate},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := shmtest.Dir(t)
			stays := openMutex(t, dir, "x")
			m, err := pshared.OpenMutex("x", &pshared.Options{Dir: dir})
			must(t, err)
			w := stays.Word()
			w.SetState(c.before)
			if err := c.late(m); err != nil && !errors.Is(err, pshared.ErrOwnerDead) || w.State()&^pshared.InconsistentOf != m.Me() {
				t.Fatalf("while it is open: %v, state %#x", err, w.State())
			}
			w.SetState(c.before)
			must(t, m.Close())
			if err := c.late(m); !errors.Is(err, pshared.ErrClosed) {
				t.Errorf("%v", err)
			}
			if w.State() != c.after {
				t.Errorf("state %#x, want %#x", w.State(), c.after)
			}
			w.SetState(0)
		})
	}
}

func tryLate(m *pshared.Mutex) error {
	held, err := m.TryLockLate()
	if !held && err == nil {
		return errNotFree
	}
	return err
}

// A rawSleeper sleeps on a word as the kernel has it: without a tick, and without a queue of
// its process.
type rawSleeper struct {
	list []sys.FutexWaiter
	done chan error
}

func sleepRaw(w *pshared.MutexWord) *rawSleeper {
	s := &rawSleeper{list: make([]sys.FutexWaiter, 1), done: make(chan error, 1)}
	s.list[0].Set(w.StateWord(), w.State(), false)
	go func() {
		for {
			_, err := sys.FutexWaitv(s.list, 0)
			if err != syscall.EINTR {
				s.done <- err
				return
			}
		}
	}()
	return s
}

// asleep reports whether a thread is inside the call.
func (s *rawSleeper) asleep(t testing.TB) bool {
	threads, err := filepath.Glob("/proc/self/task/*/syscall")
	must(t, err)
	const futexWaitv = 449 // on every architecture
	call := fmt.Sprintf("%d %#x ", futexWaitv, reflect.ValueOf(s.list).Pointer())
	for _, path := range threads {
		if text, err := os.ReadFile(path); err == nil && strings.HasPrefix(string(text), call) {
			return true
		}
	}
	return false
}

// What makes a lock free, or lost, wakes those who sleep for it: one, or all. The sleepers of
// this test have no tick, so that only a wake-up ends their sleep.
func TestWhatWakesAndHowMany(t *testing.T) {
	if _, err := sys.FutexWaitv(nil, 0); err != syscall.EINVAL {
		t.Skip("the kernel has no futex_waitv (Linux 5.16)")
	}
	s := newStage(t)
	const W, I, lost = pshared.Waiters, pshared.InconsistentOf, pshared.Lost
	for _, c := range []struct {
		name   string
		before uint32
		do     func() error
		woken  int
	}{
		{"unlock", W | s.me, s.m.Unlock, 1},
		{"unlock, unrepaired", W | I | s.me, s.m.Unlock, 3},
		{"abandon", W | I | s.me, s.m.Abandon, 1},
		{"reset", lost, s.m.Reset, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := s.m.Word()
			w.SetHurry(0)
			w.SetState(c.before)
			var all []*rawSleeper
			for range 3 {
				all = append(all, sleepRaw(w))
			}
			asleep := func() (n int) {
				for _, s := range all {
					if s.asleep(t) {
						n++
					}
				}
				return n
			}
			shmtest.Eventually(t, "all sleep", func() bool { return asleep() == len(all) })
			must(t, c.do())
			shmtest.Eventually(t, "those who were woken are", func() bool { return asleep() <= len(all)-c.woken })
			if n := asleep(); n != len(all)-c.woken {
				t.Errorf("%d sleep on, want %d", n, len(all)-c.woken)
			}
			must(t, w.Wake())
			for _, s := range all {
				must(t, <-s.done)
			}
		})
	}
}
