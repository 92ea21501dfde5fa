package futex

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"unsafe"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/internal/words"
)

// A memory is shared memory with words in it, far enough from each other.
type memory struct {
	path string
	addr uintptr
	size int
}

const wordSpace = 64

// newMemory makes memory with room for n words, under a name that goes away when the
// test ends.
func newMemory(t testing.TB, n int) *memory {
	t.Helper()
	path := filepath.Join("/dev/shm", testenv.Name(t))
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(int64(n * wordSpace)); err != nil {
		t.Fatal(err)
	}
	m, err := mapMemory(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sys.Munmap(m.addr, m.size); err != nil {
			t.Error(err)
		}
	})
	return m
}

// mapMemory maps what newMemory made; a role does so too, and leaves it to its end.
func mapMemory(path string) (*memory, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	addr, err := sys.Mmap(0, uint64(info.Size()), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED, int(f.Fd()), 0)
	if err != nil {
		return nil, err
	}
	return &memory{path, addr, int(info.Size())}, nil
}

func (m *memory) word(n int) *words.Uint32 {
	return (*words.Uint32)(unsafe.Pointer(unsafe.SliceData(sys.Bytes(m.addr+uintptr(n*wordSpace), 4))))
}

// truncate takes the memory away.
func (m *memory) truncate(t testing.TB) {
	t.Helper()
	if err := os.Truncate(m.path, 0); err != nil {
		t.Fatal(err)
	}
}

// misaligned is a word as no caller should ask for.
func (m *memory) misaligned() *words.Uint32 {
	return (*words.Uint32)(unsafe.Add(unsafe.Pointer(m.word(0)), 2))
}
