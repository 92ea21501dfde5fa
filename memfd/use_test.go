package memfd_test

import (
	"errors"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/memfd"
)

func TestAMappingTakesThePlaceOfAnother(t *testing.T) {
	page := int64(pageSize)
	first, second := create(t, 2*page, 0), create(t, 2*page, 0)
	old := mapped(t, first, nil)
	addr := old.Addr()
	m := mapped(t, second, &memfd.MapOptions{Replace: old})
	if m.Addr() != addr || !old.Closed() {
		t.Errorf("%v in the place of %v", m, old)
	}
	_, err := m.WriteAt([]byte{7}, 5)
	ok(t, err)
	b := []byte{0}
	if _, err := second.ReadAt(b, 5); err != nil || b[0] != 7 {
		t.Errorf("the memory reads %d, %v", b[0], err)
	}
	_, err = first.Map(&memfd.MapOptions{Addr: addr})
	wantError(t, err, syscall.EEXIST, "are not free")
	closeOK(t, m)
	again := mapped(t, first, &memfd.MapOptions{Addr: addr})
	if again.Addr() != addr {
		t.Errorf("mapped at %#x, not %#x", again.Addr(), addr)
	}
}

// Whatever is called while another goroutine closes works or says so.
func TestCloseMeetsEverythingElse(t *testing.T) {
	here, there := socketPair(t, syscall.SOCK_DGRAM)
	uses := []func(*memfd.File) error{
		func(f *memfd.File) error { _, err := f.Size(); return err },
		func(f *memfd.File) error { _, err := f.Seals(); return err },
		func(f *memfd.File) error { _, err := f.Stat(); return err },
		func(f *memfd.File) error { return f.Reserve(0, 10) },
		func(f *memfd.File) error { _, err := f.WriteAt([]byte{1}, 3); return err },
		func(f *memfd.File) error { _, err := f.ReadAt(make([]byte, 1), 3); return err },
		func(f *memfd.File) error {
			m, err := f.Map(nil)
			if err != nil {
				return err
			}
			_, err = m.WriteAt([]byte{1}, 0)
			return errors.Join(err, m.Close())
		},
		func(f *memfd.File) error {
			own, err := f.Reopen()
			if err != nil {
				return err
			}
			return own.Close()
		},
		func(f *memfd.File) error { return f.Verify(nil) },
		func(f *memfd.File) error { return memfd.Send(here, f) },
	}
	before := openCount(t)
	for range 50 {
		f, err := memfd.Create("raced", 10, 0)
		ok(t, err)
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for {
					err := uses[rand.IntN(len(uses)-1)](f) // all but Send
					if errors.Is(err, shmkit.ErrClosed) {
						return
					}
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		ok(t, memfd.Send(here, f))
		closeOK(t, f)
		all.Wait()
		wantError(t, uses[len(uses)-1](f), shmkit.ErrClosed)
		got, err := memfd.Receive(there, nil)
		ok(t, err)
		closeOK(t, got)
	}
	if n := openCount(t); n != before {
		t.Errorf("%d descriptors more than before", n-before)
	}
}
