package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/edsrzf/mmap-go"

	"github.com/shmkit/shmkit/filemap"
	"github.com/shmkit/shmkit/internal/filescan"
)

type way = filescan.Way

func scans() []way {
	var all []way
	for _, buf := range []int{32 << 10, 64 << 10, 128 << 10, 256 << 10, 1 << 20, 4 << 20} {
		all = append(all, way{Name: fmt.Sprintf("read(2), %d KiB", buf>>10), Base: true, Run: filescan.Read(buf)})
	}
	return append(all,
		way{Name: "mmap-go, the whole file", Run: plainScan},
		way{Name: "filemap.Scan", Run: filescan.Scan(nil)},
		way{Name: "filemap.Scan, mapped", Run: filescan.Scan(&filemap.ScanOptions{Method: filemap.ScanMapped})},
		way{Name: "filemap.Scan, copied", Run: filescan.Scan(&filemap.ScanOptions{Method: filemap.ScanCopied})},
		way{Name: "filemap.Scan, copied, 256 KiB", Run: filescan.Scan(&filemap.ScanOptions{Method: filemap.ScanCopied, Chunk: 256 << 10})},
		way{Name: "filemap.Scan, copied, 128 KiB", Run: filescan.Scan(&filemap.ScanOptions{Method: filemap.ScanCopied, Chunk: 128 << 10})},
		way{Name: "filemap.Scan, 64 MiB resident", Run: filescan.Scan(&filemap.ScanOptions{Resident: 64 << 20})},
		way{Name: "filemap.Scan, 4 MiB resident", Run: filescan.Scan(&filemap.ScanOptions{Resident: 4 << 20})},
		way{Name: "filemap.Open, the whole file", Run: filescan.Open(nil)},
		way{Name: "filemap.Open, Populate", Run: filescan.Open(&filemap.Options{Populate: true})},
	)
}

func plainScan(path string, _ int64, look func([]byte)) (took time.Duration, err error) {
	begin := time.Now()
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	m, err := mmap.Map(f, mmap.RDONLY, 0)
	if err != nil {
		return 0, errors.Join(err, f.Close())
	}
	look(m)
	err = errors.Join(m.Unmap(), f.Close())
	return time.Since(begin), err
}

// randoms are the ways to read 64 bytes here and there. Opening is not measured, nor is
// the first touch of the pages.
func randoms(reads int) []way {
	return []way{
		{Name: "pread(2)", Base: true, Run: func(path string, size int64, look func([]byte)) (time.Duration, error) {
			f, err := os.Open(path)
			if err != nil {
				return 0, err
			}
			took, err := filescan.Randomly(f, size, reads, look)
			return took, errors.Join(err, f.Close())
		}},
		{Name: "mmap-go, copy", Run: func(path string, size int64, look func([]byte)) (time.Duration, error) {
			f, err := os.Open(path)
			if err != nil {
				return 0, err
			}
			m, err := mmap.Map(f, mmap.RDONLY, 0)
			if err != nil {
				return 0, errors.Join(err, f.Close())
			}
			filescan.Digest(m)
			took, err := filescan.Randomly(filescan.Copier(m), size, reads, look)
			return took, errors.Join(err, m.Unmap(), f.Close())
		}},
		{Name: "filemap, ReadAt", Run: func(path string, size int64, look func([]byte)) (time.Duration, error) {
			f, err := filemap.Open(path, nil)
			if err != nil {
				return 0, err
			}
			filescan.Digest(f.Bytes())
			took, err := filescan.Randomly(f, size, reads, look)
			return took, errors.Join(err, f.Close())
		}},
		{Name: "filemap, copy from Bytes", Run: func(path string, size int64, look func([]byte)) (time.Duration, error) {
			f, err := filemap.Open(path, nil)
			if err != nil {
				return 0, err
			}
			filescan.Digest(f.Bytes())
			took, err := filescan.Randomly(filescan.Copier(f.Bytes()), size, reads, look)
			return took, errors.Join(err, f.Close())
		}},
	}
}
