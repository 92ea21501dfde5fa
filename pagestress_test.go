package shmkit_test

import (
	"errors"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/fdmap"
)

// tolerable reports whether an error is one that many goroutines may give each other.
func tolerable(err error) bool {
	for _, e := range []error{shmkit.ErrClosed, shmkit.ErrInUse, shmkit.ErrOutOfRange, shmkit.ErrUnmapped, shmkit.ErrReadOnly,
		shmkit.ErrNotReadable, shmkit.ErrTruncated, shmkit.ErrGuardPage} {
		if errors.Is(err, e) {
			return true
		}
	}
	// The cause had gone when it was asked for.
	return errors.Is(err, shmkit.ErrNoMemory) && strings.Contains(err.Error(), "for a moment")
}

// pageUses are what goroutines do to one mapping of 8 pages, or what is left of it.
var pageUses = map[string]func(m *shmkit.Mapping) error{
	"ReadAt": func(m *shmkit.Mapping) error {
		_, err := m.ReadAt(make([]byte, 3000), rand.Int64N(pagesAt(8)))
		if err != nil && err.Error() == "EOF" {
			return nil
		}
		return err
	},
	"WriteAt": func(m *shmkit.Mapping) error {
		_, err := m.WriteAt(make([]byte, 3000), rand.Int64N(pagesAt(8)))
		return err
	},
	"words": func(m *shmkit.Mapping) error {
		if err := m.Store64(pagesAt(rand.IntN(8))+8, 1); err != nil && !tolerable(err) {
			return err
		}
		if _, err := m.CompareAndSwap32(pagesAt(rand.IntN(8)), 0, 1); err != nil && !tolerable(err) {
			return err
		}
		if _, err := m.Add64(pagesAt(rand.IntN(8))+8, 1); err != nil {
			return err
		}
		_, err := m.Load32(pagesAt(rand.IntN(8)))
		return err
	},
	"view under Guard": func(m *shmkit.Mapping) error {
		v, err := shmkit.ViewSlice[byte](m, pagesAt(rand.IntN(6)), pageSize)
		if err != nil {
			return err
		}
		sum := byte(0)
		err = shmkit.Guard(func() {
			for _, b := range v.Data() {
				sum += b
			}
		})
		_ = make([]byte, 1024+int(sum))
		return errors.Join(err, v.Close())
	},
	"Bytes under Guard": func(m *shmkit.Mapping) error {
		return shmkit.Guard(func() {
			if b := m.Bytes(); len(b) > 0 {
				for range 20 {
					b[rand.IntN(len(b))]++
				}
			}
		})
	},
	"Resize": func(m *shmkit.Mapping) error {
		err := m.Resize(pagesAt(1 + rand.IntN(10)))
		if errors.Is(err, syscall.ENOMEM) { // beyond vm.max_map_count, or RLIMIT_AS
			return nil
		}
		return err
	},
	"Protect": func(m *shmkit.Mapping) error {
		p := []shmkit.Protection{readWrite, readWrite, readOnly, none}[rand.IntN(4)]
		return m.Protect(pagesAt(1+rand.IntN(6)), pagesAt(1), p)
	},
	"Flush": func(m *shmkit.Mapping) error {
		return m.Flush(rand.Int64N(pagesAt(4)), rand.Int64N(pagesAt(4)), []shmkit.FlushMode{shmkit.FlushSync, shmkit.FlushAsync}[rand.IntN(2)])
	},
	"advise, lock, prefault": func(m *shmkit.Mapping) error {
		off := pagesAt(rand.IntN(7))
		if err := m.Advise(off, pagesAt(1), shmkit.AdviseDontNeed); err != nil && !errors.Is(err, syscall.EINVAL) { // locked
			return err
		}
		if _, err := m.Resident(off, pagesAt(1)); err != nil {
			return err
		}
		if err := m.Lock(off, 1); err != nil && !errors.Is(err, syscall.ENOMEM) && !errors.Is(err, syscall.EAGAIN) { // PROT_NONE, truncated, limit
			return err
		}
		if err := m.Unlock(off, 1); err != nil && !errors.Is(err, syscall.ENOMEM) {
			return err
		}
		err := m.Prefault(off, pagesAt(1), shmkit.Read)
		if errors.Is(err, syscall.ENOMEM) {
			return nil
		}
		return err
	},
}

func TestMappingsSurvivePageControlAmongUsers(t *testing.T) {
	rounds := 60
	if testing.Short() {
		rounds = 15
	}
	var stop atomic.Bool
	var collector sync.WaitGroup
	collector.Go(func() {
		for !stop.Load() {
			runtime.GC()
		}
	})
	for round := range rounds {
		f, o := newFile(t, 8)
		registered := shmkit.Registered()
		quarantined, _ := shmkit.Quarantined()
		m, err := f.Map(fdmap.Options{Len: pagesAt(8), Protection: readWrite, Private: round%3 == 0, Reserve: []int64{0, pagesAt(10)}[round%2]})
		if err != nil {
			t.Fatal(err)
		}
		var users sync.WaitGroup
		var used atomic.Int64
		for what, use := range pageUses {
			users.Go(func() {
				for {
					err := use(m)
					used.Add(1)
					switch {
					case m.Closed():
						return
					case err != nil && !tolerable(err):
						t.Errorf("%s: %v", what, err)
						return
					}
				}
			})
		}
		users.Go(func() { // somebody else shortens the file, and makes it longer again
			for !m.Closed() {
				for _, pages := range []int{rand.IntN(10), 10} {
					if err := o.Truncate(pagesAt(pages)); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
		users.Go(func() {
			for target := 100 + rand.Int64N(400); used.Load() < target && !t.Failed(); {
				runtime.Gosched()
			}
			if round%4 != 0 {
				closeOK(t, m)
				return
			}
			// Two parts, of which somebody may be using the memory.
			head, tail, err := m.Split(pagesAt(1))
			if err != nil {
				closeOK(t, m)
				return
			}
			err = pageUses["Bytes under Guard"](tail)
			if err != nil && !tolerable(err) {
				t.Error(err)
			}
			closeOK(t, head)
			closeOK(t, tail)
		})
		users.Wait()
		closeOK(t, f)
		if _, err := o.Stat(); err == nil {
			t.Fatal("the descriptor is still open")
		}
		now, _ := shmkit.Quarantined()
		if grown := shmkit.Registered() - registered; grown != now-quarantined {
			t.Fatalf("the registry grew by %d, the quarantine by %d", grown, now-quarantined)
		}
	}
	stop.Store(true)
	collector.Wait()
}
