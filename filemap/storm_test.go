package filemap_test

import (
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/filemap"
	"github.com/shmkit/shmkit/internal/testenv"
)

// rounds of a storm: a truncation and a growing each.
func rounds() int {
	switch {
	case os.Getenv("SHMKIT_SOAK") == "1":
		return 30_000
	case testing.Short():
		return 500
	}
	return 2000
}

// storm runs every worker in a goroutine of its own while change is called again and
// again, each time after the workers have done something. A worker's error ends the
// test.
func storm(t *testing.T, rounds int, change func(r *rand.Rand) error, workers ...func(r *rand.Rand) error) {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var stop atomic.Bool
	var done atomic.Int64
	var wg sync.WaitGroup
	failed := make(chan error, len(workers))
	for i, work := range workers {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			for !stop.Load() {
				if err := work(r); err != nil {
					failed <- err
					stop.Store(true)
				}
				done.Add(1)
				runtime.Gosched() // there may be one processor only
			}
		})
	}
	r := rand.New(rand.NewPCG(seed, 1<<32))
	for i := 0; i < rounds && !stop.Load(); i++ {
		if err := change(r); err != nil {
			t.Error(err)
			break
		}
		// Sometimes at once again, mostly after every worker has had a turn.
		for upTo := done.Load() + int64(r.IntN(len(workers))); done.Load() < upTo && !stop.Load(); {
			runtime.Gosched()
		}
	}
	stop.Store(true)
	wg.Wait()
	select {
	case err := <-failed:
		t.Error(err)
	default:
	}
}

// stormFile makes a file for a storm in the folder for temporary files, and one in
// memory.
func stormFiles(t *testing.T, f func(t *testing.T, path string)) {
	t.Run("disk", func(t *testing.T) { f(t, newPath(t)) })
	t.Run("memory", func(t *testing.T) { f(t, filepath.Join("/dev/shm", testenv.Name(t))) })
}

// Somebody cuts the file and makes it longer again, at random moments, under goroutines
// that read and write in every way there is: every fault is an error that says why, and in
// the end everything works.
func TestTruncationStorm(t *testing.T) {
	stormFiles(t, truncationStorm)
}

func truncationStorm(t *testing.T, path string) {
	size := 32 * pageSize
	f := create(t, path, int64(size), nil)
	private := mapPart(t, f, 0, 0, &filemap.MapOptions{Writable: true, Private: true})
	readOnly := mapPart(t, f, 0, 0, nil)
	view, err := shmkit.ViewSlice[byte](f.Mapping(), 0, size)
	must(t, err)
	defer closeOK(t, view)
	words, err := shmkit.ViewSlice[uint64](f.Mapping(), 0, size/8)
	must(t, err)
	defer closeOK(t, words)
	other := osFile(t, path)

	var faults atomic.Int64
	expected := func(err error) error {
		var fault *shmkit.FaultError
		switch {
		case err == nil:
			return nil
		case errors.As(err, &fault) && errors.Is(err, shmkit.ErrTruncated):
			faults.Add(1)
			return nil
		}
		return err
	}
	// place draws a range.
	place := func(r *rand.Rand) (off, n int) {
		off = r.IntN(size)
		return off, min(r.IntN(2*pageSize), size-off)
	}
	storm(t, rounds(),
		func(r *rand.Rand) error {
			if err := other.Truncate(int64(r.IntN(size))); err != nil {
				return err
			}
			if r.IntN(2) == 0 {
				runtime.Gosched()
			}
			return other.Truncate(int64(size))
		},
		func(r *rand.Rand) error { // accessors that read
			off, n := place(r)
			_, err := f.ReadAt(make([]byte, n), int64(off))
			return expected(err)
		},
		func(r *rand.Rand) error { // of a mapping that cannot be written
			off, n := place(r)
			_, err := readOnly.ReadAt(make([]byte, n), int64(off))
			return expected(err)
		},
		func(r *rand.Rand) error { // accessors that write
			off, n := place(r)
			_, err := f.WriteAt(make([]byte, n), int64(off))
			return expected(err)
		},
		func(r *rand.Rand) error { // and private copies
			off, n := place(r)
			_, err := private.WriteAt(make([]byte, n), int64(off))
			return expected(err)
		},
		func(r *rand.Rand) error { // words
			off := int64(r.IntN(size/8) * 8)
			_, err := f.Mapping().Load64(off)
			if err == nil {
				_, err = f.Mapping().Add64(off, 1)
			}
			return expected(err)
		},
		func(r *rand.Rand) error { // views under Guard, by the slice
			off, n := place(r)
			return expected(shmkit.Guard(func() { copy(view.Data()[off:off+n], view.Data()[size-off-n:]) }))
		},
		func(r *rand.Rand) error { // views under Guard, by the element
			at := r.IntN(size / 8)
			return expected(shmkit.Guard(func() { sink += byte(words.Data()[at]) }))
		},
		func(r *rand.Rand) error {
			off, n := place(r)
			return f.Flush(int64(off), int64(n), shmkit.FlushMode(r.IntN(3)))
		},
		func(r *rand.Rand) error {
			off, n := place(r)
			return expected(f.Mapping().Prefault(int64(off), int64(n), shmkit.Protection(1+r.IntN(3))))
		},
	)
	if faults.Load() == 0 {
		t.Error("the storm caused no fault")
	}
	t.Logf("%d faults", faults.Load())
	for _, m := range []*shmkit.Mapping{f.Mapping(), private, readOnly} {
		if _, err := m.ReadAt(make([]byte, size), 0); err != nil {
			t.Errorf("after the storm: %v", err)
		}
	}
	_, err = f.WriteAt(pattern(size), 0)
	must(t, err)
	must(t, f.Flush(0, int64(size), filemap.Sync))
	wantContent(t, path, pattern(size))
}

// The file and its mapping change size together, under goroutines that use them: nobody
// faults but who works on memory that is cut off meanwhile.
func TestResizeStorm(t *testing.T) {
	stormFiles(t, resizeStorm)
}

func resizeStorm(t *testing.T, path string) {
	most := 40 * pageSize
	f := create(t, path, int64(most), &filemap.Options{Sparse: true})
	window := mapPart(t, f, int64(pageSize), 0, &filemap.MapOptions{Writable: true})
	expected := func(err error) error {
		for _, fine := range []error{nil, io.EOF, shmkit.ErrOutOfRange, shmkit.ErrTruncated, shmkit.ErrUnmapped, shmkit.ErrInUse} {
			if errors.Is(err, fine) {
				return nil
			}
		}
		return err
	}
	view := func(m *shmkit.Mapping, r *rand.Rand) error {
		v, err := shmkit.ViewSlice[byte](m, int64(r.IntN(pageSize)), 1+r.IntN(3*pageSize))
		if err != nil {
			return expected(err)
		}
		// A view holds what it shows, once it is seen that the file is that long: it may
		// have been made on what was cut off before.
		var sum byte
		err = shmkit.Guard(func() {
			for _, b := range v.Data() {
				sum += b
			}
		})
		if err == nil {
			err = shmkit.Guard(func() {
				for i := range v.Data() {
					v.Data()[i] = sum
				}
			})
		} else {
			err = expected(err)
		}
		return errors.Join(err, v.Close())
	}
	storm(t, rounds()/3,
		func(r *rand.Rand) error {
			n := r.IntN(most)
			if r.IntN(20) == 0 {
				n = 0
			}
			return expected(f.Resize(int64(n)))
		},
		func(r *rand.Rand) error {
			_, err := f.ReadAt(make([]byte, r.IntN(most)), int64(r.IntN(most)))
			return expected(err)
		},
		func(r *rand.Rand) error {
			_, err := f.WriteAt(make([]byte, r.IntN(pageSize)), int64(r.IntN(most)))
			return expected(err)
		},
		func(r *rand.Rand) error {
			m := f.Mapping()
			if m == nil {
				return nil
			}
			err := view(m, r)
			if errors.Is(err, shmkit.ErrClosed) { // Resize to 0
				return nil
			}
			return err
		},
		func(r *rand.Rand) error { return view(window, r) },
		func(r *rand.Rand) error { return expected(f.Flush(0, int64(r.IntN(most)), filemap.Async)) },
		func(r *rand.Rand) error { _, err := f.Follow(); return expected(err) },
		func(r *rand.Rand) error {
			c := f.NewCursor()
			_, err := io.Copy(io.Discard, c)
			return expected(err)
		},
		func(r *rand.Rand) error {
			m, err := f.Map(int64(r.IntN(pageSize)), 0, nil)
			if err != nil {
				return expected(err)
			}
			_, err = m.ReadAt(make([]byte, 100), 0)
			return errors.Join(expected(err), m.Close())
		},
	)
	must(t, f.Resize(int64(most)))
	_, err := f.WriteAt(pattern(most), 0)
	must(t, err)
	wantContent(t, path, pattern(most))
}
