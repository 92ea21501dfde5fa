package fdmap_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/fdmap"
	"github.com/shmkit/shmkit/internal/sys"
)

// What others stored is written back through a mapping that cannot store, too.
func TestFlushThroughAFileOpenedForReading(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, make([]byte, 1<<16), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	file := fdmap.New(f, "file:"+path)
	defer file.Close()
	dirty := func() uint64 {
		use, err := sys.CacheStat(int(f.Fd()))
		if err != nil {
			t.Skipf("the kernel does not tell what is dirty: %v", err)
		}
		return use.Dirty + use.Writeback
	}
	if magic, _, _, err := sys.FileSystem(int(f.Fd())); err != nil || magic != sys.EXT4_MAGIC && magic != sys.XFS_MAGIC {
		t.Skip("the folder for temporary files is not on a disk")
	}
	m, err := file.Map(fdmap.Options{Len: 1 << 16, Protection: shmkit.Read})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	before := dirty()
	if err := m.Flush(0, 1<<16, shmkit.FlushSync); err != nil {
		t.Fatal(err)
	}
	if after := dirty(); after != 0 {
		t.Errorf("%d pages are dirty after Flush, of %d before", after, before)
	}
}
