package filemap_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/filemap"
)

// largeFile is so long that a scan tries how to come by its bytes, and more than once.
func largeFile(t *testing.T) (path string, content []byte) {
	t.Helper()
	content = make([]byte, 90<<20+123)
	r := rand.NewChaCha8([32]byte{7})
	_, err := io.ReadFull(r, content)
	must(t, err)
	return newFile(t, content), content
}

// Whatever is tried meanwhile, each byte comes once, in order, with its overlap.
func TestScanThatTriesWhatIsFaster(t *testing.T) {
	path, content := largeFile(t)
	page := int64(pageSize)
	for _, o := range []filemap.ScanOptions{
		{}, {Off: page + 5, Chunk: 100_000, Overlap: 50_000}, {Chunk: 3 * pageSize, Resident: 13 * page, DropCache: true}, {Chunk: 9 << 20, Resident: 20 << 20},
	} {
		got, _, _ := scanned(t, path, o)
		if !bytes.Equal(got, content[o.Off:]) {
			t.Errorf("%+v: %s", o, difference(got, content[o.Off:]))
		}
	}
}

// A file that was cut off before the scan tried there is handed over up to its end.
func TestScanTriesWhereThereIsNothing(t *testing.T) {
	path, content := largeFile(t)
	for _, end := range []int64{1 << 20, 64<<20 + 1000, 64<<20 + 300<<10} {
		must(t, os.WriteFile(path, content, 0o600))
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		must(t, err)
		next := int64(0)
		o := &filemap.ScanOptions{Chunk: pageSize}
		err = filemap.Scan(t.Context(), path, o, func(off int64, chunk []byte) error {
			if off == 0 {
				must(t, file.Truncate(end))
			}
			sink += chunk[0]
			next = off + int64(len(chunk))
			return nil
		})
		closeOK(t, file)
		var fault *shmkit.FaultError
		wantError(t, err, shmkit.ErrTruncated, path)
		// Of the page that the end lies in a mapping shows zeros behind it.
		if whole := end / int64(pageSize) * int64(pageSize); !errors.As(err, &fault) || fault.Off < end || fault.Off >= end+int64(pageSize) || next < whole {
			t.Errorf("cut off at %d: %v, after %d", end, err, next)
		}
	}
}

// What cannot be copied is told as what cannot be looked at.
func TestScanThatCopiesSaysWhereTheFileEnds(t *testing.T) {
	path := newFile(t, pattern(10*pageSize))
	o := &filemap.ScanOptions{Chunk: 1000, Overlap: 100, Method: filemap.ScanCopied}
	next := int64(0)
	err := filemap.Scan(t.Context(), path, o, func(off int64, chunk []byte) error {
		next = off + int64(len(chunk))
		return os.Truncate(path, 5050)
	})
	var fault *shmkit.FaultError
	wantError(t, err, shmkit.ErrTruncated, fmt.Sprintf("read fault at offset 5050 of file:%s", path))
	if !errors.As(err, &fault) || fault.Off != 5050 || fault.Access != shmkit.Read || next != 4600 {
		t.Errorf("%v, after %d", err, next)
	}
}

// Overlapping bytes are those that were handed over before, though the file has others by now.
func TestScanThatCopiesKeepsTheOverlap(t *testing.T) {
	path := newFile(t, pattern(10*pageSize))
	var last []byte
	o := &filemap.ScanOptions{Chunk: 1000, Overlap: 300, Method: filemap.ScanCopied}
	must(t, filemap.Scan(t.Context(), path, o, func(off int64, chunk []byte) error {
		if last != nil && !bytes.Equal(chunk[:300], last) {
			t.Fatalf("the chunk at %d begins with others than the one before ended with", off)
		}
		last = bytes.Clone(chunk[len(chunk)-300:])
		return os.WriteFile(path, bytes.Repeat([]byte{byte(off)}, 10*pageSize), 0o600)
	}))
	if len(last) != 300 {
		t.Errorf("no chunk came, or a short one")
	}
}
