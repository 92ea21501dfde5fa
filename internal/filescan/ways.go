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

// A Way goes through a file. It returns a sum of its bytes, which all ways must agree on.
type Way struct {
	Name string
	Run  func(path string, size int64) (sum uint64, took time.Duration, err error)
	Base bool // one of those that others are compared with: the best of them counts
}

// Read reads it with read(2) into a buffer of so many bytes.
func Read(buf int) func(string, int64) (uint64, time.Duration, error) {
	return func(path string, _ int64) (sum uint64, took time.Duration, err error) {
		begin := time.Now()
		f, err := os.Open(path)
		if err != nil {
			return 0, 0, err
		}
		p := make([]byte, buf)
		for {
			n, err := f.Read(p)
			sum += Digest(p[:n])
			if err == io.EOF {
				break
			}
			if err != nil {
				return 0, 0, errors.Join(err, f.Close())
			}
		}
		err = f.Close()
		return sum, time.Since(begin), err
	}
}

// Scan is filemap.Scan.
func Scan(o *filemap.ScanOptions) func(string, int64) (uint64, time.Duration, error) {
	return func(path string, _ int64) (sum uint64, took time.Duration, err error) {
		begin := time.Now()
		err = filemap.Scan(context.Background(), path, o, func(_ int64, chunk []byte) error {
			sum += Digest(chunk)
			return nil
		})
		return sum, time.Since(begin), err
	}
}

// Open maps the whole file.
func Open(o *filemap.Options) func(string, int64) (uint64, time.Duration, error) {
	return func(path string, _ int64) (sum uint64, took time.Duration, err error) {
		begin := time.Now()
		f, err := filemap.Open(path, o)
		if err != nil {
			return 0, 0, err
		}
		sum = Digest(f.Bytes())
		err = f.Close()
		return sum, time.Since(begin), err
	}
}

// Copier is a slice with bounds checks and nothing else.
type Copier []byte

func (c Copier) ReadAt(p []byte, off int64) (int, error) { return copy(p, c[off:]), nil }

// Randomly reads 64 bytes at offsets that every way draws alike.
func Randomly(r io.ReaderAt, size int64, reads int) (sum uint64, took time.Duration, err error) {
	var p [64]byte
	x := uint64(0x9e3779b97f4a7c15)
	begin := time.Now()
	for range reads {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		if _, err := r.ReadAt(p[:], int64(x%uint64(size-int64(len(p))))); err != nil {
			return 0, 0, err
		}
		sum += uint64(p[0]) + uint64(p[63])
	}
	return sum, time.Since(begin), nil
}
