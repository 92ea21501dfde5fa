package filemap_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/filemap"
	"github.com/shmkit/shmkit/internal/sys"
)

// eachMethod runs a test for each way to come by the bytes of a file.
func eachMethod(t *testing.T, do func(t *testing.T, by filemap.ScanMethod)) {
	for name, by := range map[string]filemap.ScanMethod{"faster": filemap.ScanFaster, "mapped": filemap.ScanMapped, "copied": filemap.ScanCopied} {
		t.Run(name, func(t *testing.T) { do(t, by) })
	}
}

// scanned is what a scan handed over, put together: data and holes in order, without the
// overlaps.
func scanned(t *testing.T, path string, o filemap.ScanOptions) (content []byte, chunks, holes int) {
	t.Helper()
	next := o.Off
	if o.Hole != nil {
		o.Hole = func(off, n int64) error {
			if off != next || n < 1 {
				t.Errorf("a hole of %d bytes at %d, expected at %d", n, off, next)
			}
			content = append(content, make([]byte, n)...)
			next += n
			holes++
			return nil
		}
	}
	fresh := true // no chunk since the last hole
	holeBefore := holes
	err := filemap.Scan(t.Context(), path, &o, func(off int64, chunk []byte) error {
		if holes != holeBefore {
			fresh, holeBefore = true, holes
		}
		if !fresh && o.Overlap > 0 {
			off, chunk = off+int64(o.Overlap), chunk[o.Overlap:]
		}
		if off != next {
			t.Errorf("a chunk at %d, expected at %d", off, next)
		}
		content = append(content, chunk...)
		next += int64(len(chunk))
		chunks++
		fresh = false
		return nil
	})
	must(t, err)
	return content, chunks, holes
}

func TestScanHandsOverEverythingInOrder(t *testing.T) {
	eachMethod(t, func(t *testing.T, by filemap.ScanMethod) {
		content := pattern(40*pageSize + 321)
		path := newFile(t, content)
		page := int64(pageSize)
		for _, o := range []filemap.ScanOptions{
			{}, {Chunk: 1000}, {Chunk: pageSize}, {Chunk: pageSize + 1, Resident: 1}, {Chunk: 100, Overlap: 99, Resident: page},
			{Chunk: 3 * pageSize, Resident: 7 * page}, {Chunk: 5000, Overlap: 123, Resident: 3 * page}, {Overlap: 17},
			{Off: 1}, {Off: 5000, Len: 1}, {Off: page, Len: 10 * page, Chunk: 777, Resident: 2 * page}, {Off: int64(len(content))},
			{Chunk: 4096, Resident: 64 << 20, DropCache: true}, {Overlap: 2 << 20},
		} {
			for _, hole := range []func(int64, int64) error{nil, func(int64, int64) error { return nil }} {
				o.Hole, o.Method = hole, by
				want := content[o.Off:]
				if o.Len > 0 {
					want = want[:o.Len]
				}
				got, _, holes := scanned(t, path, o)
				if !bytes.Equal(got, want) || holes > 0 {
					t.Errorf("%+v: %s, %d holes", o, difference(got, want), holes)
				}
			}
		}
		if got, chunks, _ := scanned(t, newFile(t, nil), filemap.ScanOptions{}); len(got) != 0 || chunks != 0 {
			t.Errorf("of an empty file came %d chunks", chunks)
		}
	})
}

// With an overlap of n-1 bytes everything n bytes long is found, wherever chunks and
// windows end, and holes begin.
func TestScanOverlapFindsWhatLiesAcrossChunks(t *testing.T) {
	eachMethod(t, func(t *testing.T, by filemap.ScanMethod) {
		seed := rand.Uint64()
		r := rand.New(rand.NewPCG(seed, 2))
		t.Logf("seed %d", seed)
		needle := []byte{1, 2, 0, 4, 0} // with zeros, which a hole may supply
		size := 300 * pageSize
		for range 20 {
			path := newPath(t)
			f := create(t, path, int64(size), &filemap.Options{Sparse: true})
			want := map[int64]bool{}
			for range 20 {
				at := int64(r.IntN(size - len(needle)))
				if r.IntN(2) == 0 {
					at = at/int64(pageSize)*int64(pageSize) - int64(r.IntN(len(needle)))
				}
				if at < 0 || overlaps(want, at, int64(len(needle))) {
					continue
				}
				_, err := f.WriteAt(needle, at)
				must(t, err)
				want[at] = true
			}
			o := filemap.ScanOptions{Method: by, Chunk: 5 + r.IntN(5000), Overlap: len(needle) - 1, Resident: int64(r.IntN(10) * pageSize)}
			if r.IntN(2) == 0 {
				o.Hole = func(off, n int64) error { return nil }
			}
			got := map[int64]bool{}
			err := f.Scan(t.Context(), &o, func(off int64, chunk []byte) error {
				for at := 0; ; at++ {
					i := bytes.Index(chunk[at:], needle)
					if i < 0 {
						return nil
					}
					at += i
					got[off+int64(at)] = true
				}
			})
			must(t, err)
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%+v: found at %v, want %v", o, got, want)
			}
		}
	})
}

func overlaps(places map[int64]bool, at, n int64) bool {
	for p := range places {
		if at < p+n && p < at+n {
			return true
		}
	}
	return false
}

func TestScanSkipsHoles(t *testing.T) {
	eachMethod(t, func(t *testing.T, by filemap.ScanMethod) {
		path := newPath(t)
		const size = 4 << 30
		f := create(t, path, size, &filemap.Options{Sparse: true})
		for _, at := range []int64{5, 1 << 30, 3<<30 - 2, size - 1} {
			_, err := f.WriteAt([]byte{1}, at)
			must(t, err)
		}
		var data, zeros, sum, last int64
		o := &filemap.ScanOptions{Method: by,
			Hole:     func(off, n int64) error { zeros += n; return nil },
			Progress: func(done, total int64) { last = done },
		}
		must(t, filemap.Scan(t.Context(), path, o, func(off int64, chunk []byte) error {
			data += int64(len(chunk))
			for _, b := range chunk {
				sum += int64(b)
			}
			return nil
		}))
		if data+zeros != size || sum != 4 || last != size {
			t.Errorf("%d bytes of data with the sum %d and %d of holes, %d done", data, sum, zeros, last)
		}
		if data > 100<<20 {
			t.Errorf("%d bytes were handed over of 4 that are there", data)
		}
		failure := errors.New("enough")
		o.Hole = func(int64, int64) error { return failure }
		if err := f.Scan(t.Context(), o, func(int64, []byte) error { return nil }); err != failure {
			t.Errorf("an error of Hole became %v", err)
		}
	})
}

func TestScanReportsProgress(t *testing.T) {
	eachMethod(t, func(t *testing.T, by filemap.ScanMethod) {
		path := newFile(t, pattern(10*pageSize))
		var steps []int64
		o := &filemap.ScanOptions{Method: by, Off: 10, Chunk: 3 * pageSize, Overlap: 5, Progress: func(done, total int64) {
			if total != int64(10*pageSize-10) {
				t.Errorf("there are %d bytes", total)
			}
			steps = append(steps, done)
		}}
		must(t, filemap.Scan(t.Context(), path, o, func(int64, []byte) error { return nil }))
		if !slices.IsSorted(steps) || steps[len(steps)-1] != int64(10*pageSize-10) || len(steps) != 4 {
			t.Errorf("progress was %v", steps)
		}
	})
}

func TestScanEndsEarly(t *testing.T) {
	eachMethod(t, func(t *testing.T, by filemap.ScanMethod) {
		path := newFile(t, pattern(10*pageSize))
		calls := 0
		failure := errors.New("found it")
		o := &filemap.ScanOptions{Method: by, Chunk: pageSize}
		if err := filemap.Scan(t.Context(), path, o, func(int64, []byte) error { calls++; return failure }); err != failure || calls != 1 {
			t.Errorf("an error of the function became %v, after %d calls", err, calls)
		}
		for _, hole := range []func(int64, int64) error{nil, func(int64, int64) error { return nil }} {
			ctx, cancel := context.WithCancel(t.Context())
			calls, o.Hole = 0, hole
			err := filemap.Scan(ctx, path, o, func(int64, []byte) error {
				if calls++; calls == 3 {
					cancel()
				}
				return nil
			})
			if !errors.Is(err, context.Canceled) || calls != 3 {
				t.Errorf("cancelled: %v, after %d calls", err, calls)
			}
			err = filemap.Scan(ctx, path, o, func(int64, []byte) error { t.Error("called"); return nil })
			wantError(t, err, context.Canceled)
		}
		defer func() {
			if r := recover(); r != "mine" {
				t.Errorf("a panic became %v", r)
			}
		}()
		_ = filemap.Scan(t.Context(), path, o, func(int64, []byte) error { panic("mine") })
	})
}

func TestScanOptionsThatMakeNoSense(t *testing.T) {
	path := newFile(t, pattern(100))
	nothing := func(int64, []byte) error { return nil }
	for _, o := range []filemap.ScanOptions{{Off: -1}, {Len: -1}, {Chunk: -1}, {Overlap: -1}, {Chunk: 10, Overlap: 10}, {Method: -1}, {Method: 3}} {
		wantError(t, filemap.Scan(t.Context(), path, &o, nothing), syscall.EINVAL, "scan "+path)
	}
	for _, o := range []filemap.ScanOptions{{Off: 101}, {Len: 101}, {Off: 50, Len: 51}} {
		wantError(t, filemap.Scan(t.Context(), path, &o, nothing), shmkit.ErrTruncated, "scan "+path)
	}
	wantError(t, filemap.Scan(t.Context(), path+"x", nil, nothing), os.ErrNotExist)
}

// A file that is cut off under a scan is an error that says where.
func TestScanOfAFileThatIsCutOff(t *testing.T) {
	eachMethod(t, func(t *testing.T, by filemap.ScanMethod) {
		path := newFile(t, pattern(100*pageSize))
		var reached int64
		for _, hole := range []func(int64, int64) error{nil, func(int64, int64) error { return nil }} {
			must(t, os.WriteFile(path, pattern(100*pageSize), 0o600))
			o := &filemap.ScanOptions{Method: by, Chunk: pageSize, Resident: int64(10 * pageSize), Hole: hole}
			err := filemap.Scan(t.Context(), path, o, func(off int64, chunk []byte) error {
				if off == int64(50*pageSize) {
					must(t, os.Truncate(path, int64(55*pageSize)))
				}
				sink += chunk[0]
				reached = off
				return nil
			})
			var fault *shmkit.FaultError
			wantError(t, err, shmkit.ErrTruncated, path)
			if !errors.As(err, &fault) || fault.Off != int64(55*pageSize) || fault.Access != shmkit.Read || reached != int64(54*pageSize) {
				t.Errorf("%v, after the chunk at %d", err, reached)
			}
		}
		// Cut off where a hole is looked for.
		must(t, os.WriteFile(path, pattern(10*pageSize), 0o600))
		must(t, os.Truncate(path, int64(100*pageSize)))
		o := &filemap.ScanOptions{Method: by, Chunk: pageSize, Hole: func(off, n int64) error { t.Errorf("a hole at %d", off); return nil }}
		err := filemap.Scan(t.Context(), path, o, func(off int64, chunk []byte) error {
			sink += chunk[0]
			return os.Truncate(path, int64(9*pageSize))
		})
		wantError(t, err, shmkit.ErrTruncated, path)
	})
}

// The chunks cannot be written, and a fault in another mapping is not taken for one of
// the file.
func TestScanFaultsOfTheFunction(t *testing.T) {
	eachMethod(t, func(t *testing.T, by filemap.ScanMethod) {
		path := newFile(t, pattern(10*pageSize))
		err := filemap.Scan(t.Context(), path, &filemap.ScanOptions{Method: by}, func(_ int64, chunk []byte) error { chunk[pageSize] = 1; return nil })
		wantError(t, err, shmkit.ErrReadOnly, fmt.Sprintf("offset %d of file:%s", pageSize, path))
		other := openNew(t, pattern(10), nil)
		b := other.Bytes()
		must(t, other.Mapping().Close())
		err = filemap.Scan(t.Context(), path, &filemap.ScanOptions{Method: by}, func(int64, []byte) error { b[0] = 1; return nil })
		wantError(t, err, shmkit.ErrClosed, other.Name())
	})
}

func TestScanDropsTheCache(t *testing.T) {
	eachMethod(t, func(t *testing.T, by filemap.ScanMethod) {
		content := pattern(1000 * pageSize)
		path := newFile(t, content)
		f := open(t, path, nil)
		must(t, f.Sync())
		if magic, _, _, err := sys.FileSystem(int(osFile(t, path).Fd())); err != nil || magic == sys.TMPFS_MAGIC {
			t.Skipf("the folder for temporary files is in memory: %v", err)
		}
		resident := func() int {
			pages, err := f.Mapping().Resident(0, int64(f.Len()))
			must(t, err)
			n := 0
			for _, there := range pages {
				if there {
					n++
				}
			}
			return n
		}
		for _, drop := range []bool{false, true} {
			sum := 0
			must(t, f.Scan(t.Context(), &filemap.ScanOptions{Method: by, DropCache: drop, Resident: 1 << 20, Chunk: 1 << 16}, func(_ int64, chunk []byte) error {
				sum += bytes.Count(chunk, []byte{1})
				return nil
			}))
			if n := resident(); drop && n > 100 {
				t.Errorf("%d of 1000 pages are in memory after a scan that drops them", n)
			}
			if sum != bytes.Count(content, []byte{1}) {
				t.Errorf("counted %d", sum)
			}
		}
	})
}

// What is random in shape, sparse files of many extents, comes out whole.
func TestScanOfRandomSparseFiles(t *testing.T) {
	eachMethod(t, func(t *testing.T, by filemap.ScanMethod) {
		seed := rand.Uint64()
		r := rand.New(rand.NewPCG(seed, 3))
		t.Logf("seed %d", seed)
		for range 30 {
			path := newPath(t)
			size := 1 + r.IntN(200*pageSize)
			model := make([]byte, size)
			file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
			must(t, err)
			must(t, file.Truncate(int64(size)))
			for range r.IntN(20) {
				off := r.IntN(size)
				part := pattern(min(1+r.IntN(3*pageSize), size-off))
				copy(model[off:], part)
				_, err := file.WriteAt(part, int64(off))
				must(t, err)
			}
			must(t, file.Close())
			off := r.IntN(size)
			n := r.IntN(size - off)
			o := filemap.ScanOptions{Method: by, Off: int64(off), Len: int64(n), Chunk: 1 + r.IntN(10*pageSize), Resident: int64(r.IntN(30 * pageSize)),
				Hole: func(int64, int64) error { return nil }}
			o.Overlap = r.IntN(o.Chunk)
			if r.IntN(3) == 0 {
				o.Overlap = 0
			}
			want := model[off:]
			if n > 0 {
				want = want[:n]
			}
			got, _, _ := scanned(t, path, o)
			if !bytes.Equal(got, want) {
				t.Fatalf("%+v: %s", o, difference(got, want))
			}
		}
	})
}

// A chunk is read-only. A store to it is not told as a read, whether its page is there or
// not.
func TestScanDoesNotTellAStoreAsARead(t *testing.T) {
	eachMethod(t, func(t *testing.T, by filemap.ScanMethod) {
		path := newFile(t, pattern(4*pageSize))
		for _, touched := range []bool{false, true} {
			err := filemap.Scan(t.Context(), path, &filemap.ScanOptions{Method: by}, func(_ int64, chunk []byte) error {
				if touched {
					sink += chunk[pageSize]
				}
				chunk[pageSize] = 1
				return nil
			})
			var fault *shmkit.FaultError
			if !errors.As(err, &fault) || !errors.Is(err, shmkit.ErrReadOnly) || fault.Access == shmkit.Read || fault.Off != int64(pageSize) {
				t.Errorf("touched before %v: %v", touched, err)
			}
		}
	})
}
