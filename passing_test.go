package shmkit_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/shmkit/shmkit/internal/fdmap"
)

// To find out why a page faulted it is tried again. That must not make a private copy of
// it, which would not follow the file any more.
func TestLookingForACauseMakesNoPrivateCopy(t *testing.T) {
	f, o := newFile(t, 4)
	m := mapFile(t, f, fdmap.Options{Len: pagesAt(4), Private: true})
	var passed atomic.Int64
	var stop atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for !stop.Load() {
			for _, pages := range []int{1, 4} {
				if err := o.Truncate(pagesAt(pages)); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	b := make([]byte, 1)
	for range 20_000 {
		if _, err := m.ReadAt(b, pagesAt(3)); err != nil && strings.Contains(err.Error(), "grown again") {
			// While the file is not cut again, which takes copies too, this can be seen.
			if passed.Add(1) == 50 {
				break
			}
		}
	}
	stop.Store(true)
	wg.Wait()
	if passed.Load() == 0 {
		t.Skip("no fault had passed when its cause was looked for")
	}
	if _, err := o.WriteAt(filled(4*pageSize, 99), 0); err != nil {
		t.Fatal(err)
	}
	for page := range 4 {
		wantByte(t, m, pagesAt(page), 99)
	}
}
