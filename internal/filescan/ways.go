// Package filescan is ways to go through a file, for benchmarks: all of it from the beginning to the end, and
// here and there.
package filescan

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/shmkit/shmkit/filemap"
)

// Digest is the work that is done with the bytes: counting one of them, with vector
// instructions, is about the least that looks at all.
func Digest(p []byte) uint64 { return uint64(bytes.Count(p, []byte{'\n'})) }

// A Way goes through a file, and hands what it comes by to look, piece by piece in the order of the file.
type Way struct {
	Name string
	Run  Run
	Base bool // one of those that others are compared with: the best of them counts
}

// A Run goes through a file once, and says how long that took.
type Run func(path string, size int64, look func(piece []byte)) (time.Duration, error)

// Read reads it with read(2) into a buffer of so many bytes.
func Read(buf int) Run {
	return func(path string, _ int64, look func([]byte)) (took time.Duration, err error) {
		begin := time.Now()
		f, err := os.Open(path)
		if err != nil {
			return 0, err
		}
		p := make([]byte, buf)
		for {
			n, err := f.Read(p)
			look(p[:n])
			if err == io.EOF {
				break
			}
			if err != nil {
				return 0, errors.Join(err, f.Close())
			}
		}
		err = f.Close()
		return time.Since(begin), err
	}
}

// Scan is filemap.Scan.
func Scan(o *filemap.ScanOptions) Run {
	return func(path string, _ int64, look func([]byte)) (took time.Duration, err error) {
		begin := time.Now()
		err = filemap.Scan(context.Background(), path, o, func(_ int64, chunk []byte) error {
			look(chunk)
			return nil
		})
		return time.Since(begin), err
	}
}

// Open maps the whole file.
func Open(o *filemap.Options) Run {
	return func(path string, _ int64, look func([]byte)) (took time.Duration, err error) {
		begin := time.Now()
		f, err := filemap.Open(path, o)
		if err != nil {
			return 0, err
		}
		look(f.Bytes())
		err = f.Close()
		return time.Since(begin), err
	}
}

// Copier is a slice with bounds checks and nothing else.
type Copier []byte

// ReadAt implements io.ReaderAt, but for what is out of bounds.
func (c Copier) ReadAt(p []byte, off int64) (int, error) { return copy(p, c[off:]), nil }

// Randomly reads 64 bytes at offsets that every way draws alike.
func Randomly(r io.ReaderAt, size int64, reads int, look func(piece []byte)) (took time.Duration, err error) {
	var p [64]byte
	x := uint64(0x9e3779b97f4a7c15)
	begin := time.Now()
	for range reads {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		if _, err := r.ReadAt(p[:], int64(x%uint64(size-int64(len(p))))); err != nil {
			return 0, err
		}
		look(p[:])
	}
	return time.Since(begin), nil
}
