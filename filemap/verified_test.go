package filemap_test

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/filemap"
)

func TestAChunkLargerThanTheFileIsTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	content := make([]byte, 40<<20)
	content[len(content)-1] = 7
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, o := range []filemap.ScanOptions{{Chunk: math.MaxInt}, {Resident: math.MaxInt64}, {Chunk: math.MaxInt, Overlap: 9}} {
		var got int
		var last byte
		err := filemap.Scan(context.Background(), path, &o, func(off int64, chunk []byte) error {
			got, last = int(off)+len(chunk), chunk[len(chunk)-1]
			return nil
		})
		if err != nil || got != len(content) || last != 7 {
			t.Errorf("%+v: %d bytes, the last %d, %v", o, got, last, err)
		}
	}
}

func TestAdviceThatDestroysIsNoWayToMap(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := filemap.Open(path, &filemap.Options{Writable: true, Advice: shmkit.AdviseRemove})
	if !errors.Is(err, syscall.EINVAL) {
		t.Errorf("Open: %v", err)
	}
	f, err := filemap.Open(path, &filemap.Options{Writable: true})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Map(0, 0, &filemap.MapOptions{Advice: shmkit.AdviseGuardInstall}); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("Map: %v", err)
	}
	if b, err := os.ReadFile(path); string(b) != "precious" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestWhatGoesWrongInInitLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	_, err := filemap.Create(filepath.Join(dir, "fault"), 8192, &filemap.Options{Init: func(m *shmkit.Mapping) error {
		if err := m.Protect(0, 4096, shmkit.Read); err != nil {
			return err
		}
		m.Bytes()[0] = 1
		return nil
	}})
	var fault *shmkit.FaultError
	if !errors.As(err, &fault) {
		t.Errorf("a fault: %v", err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic is gone")
			}
		}()
		_, _ = filemap.Create(filepath.Join(dir, "panic"), 8192, &filemap.Options{Init: func(*shmkit.Mapping) error { panic("no") }})
	}()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// Nothing tells a write to a page that was not there from a read of one that came back;
// so nothing is claimed.
func TestAReadOfAPageThatCameBackIsNotToldAsAWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, make([]byte, 8192), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := filemap.Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := f.Bytes()
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	var sum byte
	err = shmkit.Guard(func() {
		defer os.Truncate(path, 8192)
		sum += b[4096]
	})
	var fault *shmkit.FaultError
	if !errors.As(err, &fault) || fault.Access != 0 || !errors.Is(err, shmkit.ErrTruncated) {
		t.Errorf("%v (access %v, %d)", err, fault.Access, sum)
	}
	// A page that is there is written to.
	sum += b[0]
	err = shmkit.Guard(func() { b[0] = sum })
	if !errors.As(err, &fault) || fault.Access != shmkit.Write || fault.Err != shmkit.ErrReadOnly {
		t.Errorf("a write: %v", err)
	}
}

func TestZeroFilesCanBeClosed(t *testing.T) {
	var f filemap.File
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}
