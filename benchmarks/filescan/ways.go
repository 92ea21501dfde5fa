package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/edsrzf/mmap-go"

	"github.com/shmkit/shmkit/filemap"
)

// digest is the work that is done with the bytes: counting one of them, with vector
// instructions, is about the least that looks at all.
func digest(p []byte) uint64 { return uint64(bytes.Count(p, []byte{'\n'})) }

func scans() []way {
	var all []way
	for _, buf := range []int{32 << 10, 64 << 10, 128 << 10, 256 << 10, 1 << 20, 4 << 20} {
		all = append(all, way{name: fmt.Sprintf("read(2), %d KiB", buf>>10), base: true, run: readScan(buf)})
	}
	return append(all,
		way{name: "mmap-go, the whole file", run: plainScan},
		way{name: "filemap.Scan", run: scanScan(nil)},
		way{name: "filemap.Scan, 64 MiB resident", run: scanScan(&filemap.ScanOptions{Resident: 64 << 20})},
		way{name: "filemap.Scan, 4 MiB resident", run: scanScan(&filemap.ScanOptions{Resident: 4 << 20})},
		way{name: "filemap.Open, the whole file", run: openScan(nil)},
		way{name: "filemap.Open, Populate", run: openScan(&filemap.Options{Populate: true})},
	)
}

func readScan(buf int) func(string, int64) (uint64, time.Duration, error) {
	return func(path string, _ int64) (sum uint64, took time.Duration, err error) {
		begin := time.Now()
		f, err := os.Open(path)
		if err != nil {
			return 0, 0, err
		}
		p := make([]byte, buf)
		for {
			n, err := f.Read(p)
			sum += digest(p[:n])
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

func plainScan(path string, _ int64) (sum uint64, took time.Duration, err error) {
	begin := time.Now()
	f, err := os.Open(path)
	if err != nil {
		return 0, 0, err
	}
	m, err := mmap.Map(f, mmap.RDONLY, 0)
	if err != nil {
		return 0, 0, errors.Join(err, f.Close())
	}
	sum = digest(m)
	err = errors.Join(m.Unmap(), f.Close())
	return sum, time.Since(begin), err
}

func scanScan(o *filemap.ScanOptions) func(string, int64) (uint64, time.Duration, error) {
	return func(path string, _ int64) (sum uint64, took time.Duration, err error) {
		begin := time.Now()
		err = filemap.Scan(context.Background(), path, o, func(_ int64, chunk []byte) error {
			sum += digest(chunk)
			return nil
		})
		return sum, time.Since(begin), err
	}
}

func openScan(o *filemap.Options) func(string, int64) (uint64, time.Duration, error) {
	return func(path string, _ int64) (sum uint64, took time.Duration, err error) {
		begin := time.Now()
		f, err := filemap.Open(path, o)
		if err != nil {
			return 0, 0, err
		}
		sum = digest(f.Bytes())
		err = f.Close()
		return sum, time.Since(begin), err
	}
}

// randoms are the ways to read 64 bytes here and there. Opening is not measured, nor is
// the first touch of the pages.
func randoms(reads int) []way {
	return []way{
		{name: "pread(2)", base: true, run: func(path string, size int64) (uint64, time.Duration, error) {
			f, err := os.Open(path)
			if err != nil {
				return 0, 0, err
			}
			sum, took, err := readRandomly(f, size, reads)
			return sum, took, errors.Join(err, f.Close())
		}},
		{name: "mmap-go, copy", run: func(path string, size int64) (uint64, time.Duration, error) {
			f, err := os.Open(path)
			if err != nil {
				return 0, 0, err
			}
			m, err := mmap.Map(f, mmap.RDONLY, 0)
			if err != nil {
				return 0, 0, errors.Join(err, f.Close())
			}
			digest(m)
			sum, took, err := readRandomly(copier(m), size, reads)
			return sum, took, errors.Join(err, m.Unmap(), f.Close())
		}},
		{name: "filemap, ReadAt", run: func(path string, size int64) (uint64, time.Duration, error) {
			f, err := filemap.Open(path, nil)
			if err != nil {
				return 0, 0, err
			}
			digest(f.Bytes())
			sum, took, err := readRandomly(f, size, reads)
			return sum, took, errors.Join(err, f.Close())
		}},
		{name: "filemap, copy from Bytes", run: func(path string, size int64) (uint64, time.Duration, error) {
			f, err := filemap.Open(path, nil)
			if err != nil {
				return 0, 0, err
			}
			digest(f.Bytes())
			sum, took, err := readRandomly(copier(f.Bytes()), size, reads)
			return sum, took, errors.Join(err, f.Close())
		}},
	}
}

// copier is a slice with bounds checks and nothing else.
type copier []byte

func (c copier) ReadAt(p []byte, off int64) (int, error) { return copy(p, c[off:]), nil }

// readRandomly reads 64 bytes at offsets that every way draws alike.
func readRandomly(r io.ReaderAt, size int64, reads int) (sum uint64, took time.Duration, err error) {
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
