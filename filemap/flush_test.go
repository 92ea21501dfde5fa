package filemap_test

import (
	"encoding/binary"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/filemap"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
)

// What Flush promises is seen on a device of its own in TestWhatIsFlushedSurvivesAPowerFailure;
// here is what can be seen of it on every machine.

func TestFlushOfAnyRange(t *testing.T) {
	f := openNew(t, pattern(3*pageSize+10), &filemap.Options{Writable: true})
	for _, mode := range []shmkit.FlushMode{filemap.Sync, filemap.Async, filemap.Invalidate} {
		for _, c := range [][2]int64{{0, 0}, {0, 1}, {1, 1}, {int64(pageSize - 1), 2}, {0, int64(f.Len())}, {int64(f.Len()), 0}, {int64(f.Len() - 1), 1}} {
			must(t, f.Flush(c[0], c[1], mode))
		}
		for _, c := range [][2]int64{{-1, 1}, {0, -1}, {0, int64(f.Len() + 1)}, {int64(f.Len()), 1}, {1, 1<<63 - 1}} {
			wantError(t, f.Flush(c[0], c[1], mode), shmkit.ErrOutOfRange)
		}
	}
	wantError(t, f.Flush(0, 1, 77), syscall.EINVAL, "flush")
	must(t, f.Sync())
}

// Nothing has to be flushed for others to see it.
func TestMappingAndOrdinaryReadsAndWritesAgreeAtOnce(t *testing.T) {
	f := openNew(t, pattern(2*pageSize), &filemap.Options{Writable: true})
	other := osFile(t, pathOf(f))
	for i := range 200 {
		off := int64(i * 37 % (2 * pageSize))
		_, err := f.WriteAt([]byte{byte(i)}, off)
		must(t, err)
		wantBytes(t, other, off, byte(i))
		_, err = other.WriteAt([]byte{byte(i + 1)}, off)
		must(t, err)
		must(t, f.Flush(off, 1, filemap.Invalidate)) // changes nothing about it
		wantBytes(t, f, off, byte(i+1))
	}
}

// A read that goes by the cache of the kernel, and one after the cache was dropped, find
// what was flushed.
func TestFlushedBytesAreFoundPastTheCache(t *testing.T) {
	f := openNew(t, make([]byte, 8*pageSize), &filemap.Options{Writable: true})
	want := pattern(8 * pageSize)
	_, err := f.WriteAt(want, 0)
	must(t, err)
	must(t, f.Flush(0, int64(len(want)), filemap.Sync))

	direct, err := os.OpenFile(pathOf(f), os.O_RDONLY|syscall.O_DIRECT, 0)
	if err != nil {
		t.Logf("no O_DIRECT here: %v", err)
	} else {
		defer closeOK(t, direct)
		// The buffer has to be aligned like blocks of the device: mapped memory is.
		buffer := mapPart(t, openNew(t, make([]byte, len(want)), &filemap.Options{Writable: true}), 0, 0, &filemap.MapOptions{Writable: true, Private: true})
		if n, err := direct.ReadAt(buffer.Bytes(), 0); n != len(want) {
			t.Fatalf("O_DIRECT: %d, %v", n, err)
		}
		if s := difference(buffer.Bytes(), want); s != "the same" {
			t.Errorf("read with O_DIRECT: %s", s)
		}
	}
	other := osFile(t, pathOf(f))
	must(t, sys.Fadvise(int(other.Fd()), 0, 0, sys.FADV_DONTNEED))
	wantContent(t, pathOf(f), want)
}

// A store makes the file's times those of now, the first one to a page since it was
// written back at least.
func TestStoreChangesTheTimesOfTheFile(t *testing.T) {
	f := openNew(t, pattern(pageSize), &filemap.Options{Writable: true})
	long := time.Unix(1_000_000_000, 0)
	for i := range 3 {
		must(t, os.Chtimes(pathOf(f), long, long))
		_, err := f.WriteAt([]byte{byte(i)}, 0)
		must(t, err)
		must(t, f.Flush(0, 1, filemap.Sync))
		info, err := os.Stat(pathOf(f))
		must(t, err)
		if !info.ModTime().After(long) {
			t.Errorf("after store %d and Flush the file is still from %v", i, info.ModTime())
		}
	}
	private := open(t, pathOf(f), &filemap.Options{Writable: true, Private: true})
	must(t, os.Chtimes(pathOf(f), long, long))
	_, err := private.WriteAt([]byte{1}, 0)
	must(t, err)
	must(t, private.Flush(0, 1, filemap.Sync))
	info, err := os.Stat(pathOf(f))
	must(t, err)
	if !info.ModTime().Equal(long) {
		t.Errorf("a store to a private mapping made the file's time %v", info.ModTime())
	}
}

// dirty asks the kernel whether the page at off has changes that are not on their way to
// the device.
func dirty(t testing.TB, m *shmkit.Mapping, off int64) bool {
	t.Helper()
	entry, ok := sys.Pagemap(m.Addr() + uintptr(off))
	const frame = 1<<55 - 1
	if !ok || entry&sys.PagemapPresent == 0 || entry&frame == 0 {
		t.Skipf("the kernel tells no frame number: %#x", entry)
	}
	flags, err := os.Open("/proc/kpageflags")
	if err != nil {
		t.Skipf("the kernel tells nothing of its pages: %v", err)
	}
	defer closeOK(t, flags)
	var b [8]byte
	_, err = flags.ReadAt(b[:], int64(entry&frame)*8)
	must(t, err)
	const kpfDirty = 1 << 4
	return binary.NativeEndian.Uint64(b[:])&kpfDirty != 0
}

// Sync leaves a page clean, and Async has sent it on its way; Invalidate does neither.
func TestFlushCleansPages(t *testing.T) {
	testenv.RequireRoot(t)
	f := openNew(t, pattern(4*pageSize), &filemap.Options{Writable: true})
	if magic, _, _, err := sys.FileSystem(int(osFile(t, pathOf(f)).Fd())); err != nil || magic == sys.TMPFS_MAGIC {
		t.Skipf("the folder for temporary files is in memory, where pages are never clean: %v", err)
	}
	must(t, f.Sync())
	// The kernel may write a page at any moment, for reasons of its own.
	store := func() {
		testenv.Eventually(t, "a page is dirty after a store", func() bool {
			_, err := f.WriteAt([]byte{1}, int64(pageSize))
			must(t, err)
			return dirty(t, f.Mapping(), int64(pageSize))
		})
	}
	testenv.Eventually(t, "a page is dirty after a store and Invalidate", func() bool {
		store()
		must(t, f.Flush(0, int64(f.Len()), filemap.Invalidate))
		return dirty(t, f.Mapping(), int64(pageSize))
	})
	must(t, f.Flush(int64(pageSize+5), 1, filemap.Sync))
	if dirty(t, f.Mapping(), int64(pageSize)) {
		t.Error("the page is dirty after Sync")
	}
	store()
	must(t, f.Flush(int64(pageSize+5), 1, filemap.Async))
	if dirty(t, f.Mapping(), int64(pageSize)) {
		t.Error("the page is dirty after Async")
	}
	store()
	must(t, f.Sync())
	if dirty(t, f.Mapping(), int64(pageSize)) {
		t.Error("the page is dirty after File.Sync")
	}
}

func TestFlushInMemoryFileSystems(t *testing.T) {
	name := "/dev/shm/" + testenv.Name(t)
	f := create(t, name, 100, nil)
	for _, mode := range []shmkit.FlushMode{filemap.Sync, filemap.Async, filemap.Invalidate} {
		must(t, f.Flush(0, 100, mode))
	}
	must(t, f.Sync())
	must(t, f.Resize(200))
}
