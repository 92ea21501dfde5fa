package filemap_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/filemap"
)

func TestChmodSetsWhatTheUmaskTakes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	f, err := filemap.Create(path, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Chmod(0o666); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o666 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := f.Chmod(0o1000); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("more than permission bits: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Chmod(0o600); !errors.Is(err, shmkit.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}
