package fdmap_test

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/fdmap"
)

// open reports whether the descriptor is.
func open(o *os.File) bool {
	_, err := o.Stat()
	return !errors.Is(err, fs.ErrClosed)
}

func TestTheDescriptorLivesAsLongAsSomebodyNeedsIt(t *testing.T) {
	f, o := newFile(t, 2)
	a := mapOK(t, f, fdmap.Options{Len: 1, Protection: read})
	b := mapOK(t, f, fdmap.Options{Len: 1, Protection: read})
	v, err := shmkit.View[byte](b, 0)
	ok(t, err)
	ok(t, f.Close())
	ok(t, f.Close())
	if !open(o) {
		t.Fatal("closed under its mappings")
	}
	if _, err := f.Map(fdmap.Options{Len: 1}); !errors.Is(err, shmkit.ErrClosed) || !errors.Is(err, fs.ErrClosed) || err.Error() != "map "+f.Name()+": the handle is closed" {
		t.Errorf("a map after Close: %v", err)
	}
	if _, err := f.Size(); !errors.Is(err, shmkit.ErrClosed) {
		t.Errorf("Size after Close: %v", err)
	}
	ok(t, a.Resize(int64(2*page))) // which needs it
	ok(t, a.Close())
	ok(t, a.Close())
	ok(t, b.Close())
	if !open(o) {
		t.Error("closed under a view")
	}
	ok(t, v.Close())
	if open(o) {
		t.Error("open without a user")
	}
}

func TestCloseWaitsForNobodyAndUseIsSafe(t *testing.T) {
	f, o := newFile(t, 1)
	inside, go_ := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	failure := errors.New("what do returned")
	wg.Go(func() {
		err := f.Use(func(file *os.File) error {
			close(inside)
			<-go_
			if !open(file) {
				t.Error("closed in use")
			}
			return failure
		})
		if err != failure {
			t.Errorf("Use returned %v", err)
		}
	})
	<-inside
	ok(t, f.Close())
	close(go_)
	wg.Wait()
	if open(o) {
		t.Error("open after its last user")
	}
}

func TestSizeIsThatOfTheFile(t *testing.T) {
	f, o := newFile(t, 2)
	for _, want := range []int64{int64(2 * page), 5, 0} {
		ok(t, o.Truncate(want))
		if n, err := f.Size(); n != want || err != nil {
			t.Errorf("Size is %d, %v; want %d", n, err, want)
		}
	}
}

// Maps, splits, replacements and closes of many goroutines leave no use uncounted.
func TestUsesAreCountedWhateverTheOrder(t *testing.T) {
	for range 30 {
		f, o := newFile(t, 4)
		var wg sync.WaitGroup
		var mapped atomic.Int64
		for g := range 8 {
			wg.Go(func() {
				for range 20 {
					m, err := f.Map(fdmap.Options{Len: int64(4 * page), Protection: readWrite, Private: g%2 == 0})
					if errors.Is(err, shmkit.ErrClosed) {
						return
					}
					if err != nil {
						t.Error(err)
						return
					}
					mapped.Add(1)
					head, tail, err := m.Split(int64(page * (1 + g%3)))
					if err != nil {
						t.Error(err)
						return
					}
					instead, err := f.Map(fdmap.Options{Len: 1, Protection: read, Replace: head})
					if err != nil && !errors.Is(err, shmkit.ErrClosed) {
						t.Error(err)
					}
					if err == nil {
						wantByte(t, instead, 0, 1)
						if err := instead.Close(); err != nil {
							t.Error(err)
						}
					}
					if err := errors.Join(tail.Close(), head.Close(), m.Close()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Go(func() {
			for mapped.Load() < 40 {
				if t.Failed() {
					return
				}
				runtime.Gosched()
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		if open(o) {
			t.Fatal("the descriptor is still open")
		}
	}
}
