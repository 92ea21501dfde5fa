package posixshm_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/posixshm"
)

// Making, mapping, closing and removing an object: ours beside the calls of a C program
// that uses shm_open and does without reserving, and one that reserves.
func BenchmarkCreateMapClose(b *testing.B) {
	for _, size := range []int64{4 << 10, 1 << 20, 64 << 20} {
		d := newDir(b)
		ours := func(o *posixshm.Options) error {
			obj, err := d.Create("/frames", size, o)
			if err != nil {
				return err
			}
			m, err := obj.Map(nil)
			if err != nil {
				return err
			}
			return errors.Join(m.Close(), obj.Remove(), obj.Close())
		}
		for _, way := range []struct {
			name string
			do   func() error
		}{
			{"shm_open", func() error { return rawCreate(d, size, false) }},
			{"Sparse", func() error { return ours(&posixshm.Options{Sparse: true}) }},
			{"shm_open and fallocate", func() error { return rawCreate(d, size, true) }},
			{"reserved", func() error { return ours(nil) }},
			{"reserved and Init", func() error {
				return ours(&posixshm.Options{Init: func(m *shmkit.Mapping) error { return m.Store64(0, 1) }})
			}},
		} {
			b.Run(fmt.Sprintf("%d/%s", size, way.name), func(b *testing.B) {
				for b.Loop() {
					if err := way.do(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// rawCreate is what shm_open and its company do.
func rawCreate(d posixshm.Dir, size int64, reserve bool) error {
	path := filepath.Join(string(d), "raw")
	fd, err := syscall.Open(path, syscall.O_RDWR|syscall.O_CREAT|syscall.O_EXCL|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	if reserve {
		err = syscall.Fallocate(fd, 0, 0, size)
	} else {
		err = syscall.Ftruncate(fd, size)
	}
	if err != nil {
		return err
	}
	mem, err := syscall.Mmap(fd, 0, int(size), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return err
	}
	return errors.Join(syscall.Munmap(mem), syscall.Unlink(path), syscall.Close(fd))
}

// Opening and mapping what exists.
func BenchmarkOpenMapClose(b *testing.B) {
	d := newDir(b)
	create(b, d, "/frames", 1<<20, nil)
	b.Run("open and mmap", func(b *testing.B) {
		path := filepath.Join(string(d), "frames")
		for b.Loop() {
			fd, err := syscall.Open(path, syscall.O_RDWR|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0)
			if err != nil {
				b.Fatal(err)
			}
			mem, err := syscall.Mmap(fd, 0, 1<<20, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
			if err := errors.Join(err, syscall.Close(fd), syscall.Munmap(mem)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Open and Map", func(b *testing.B) {
		for b.Loop() {
			obj, err := d.Open("/frames", nil)
			if err != nil {
				b.Fatal(err)
			}
			m, err := obj.Map(nil)
			if err := errors.Join(err, obj.Close(), m.Close()); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// The first touch of every page of 4 MiB, by what was done for it before.
func BenchmarkFirstTouch(b *testing.B) {
	const size = 4 << 20
	d := newDir(b)
	for _, way := range []struct {
		name    string
		options posixshm.Options
		mapping posixshm.MapOptions
	}{
		{"sparse", posixshm.Options{Sparse: true}, posixshm.MapOptions{}},
		{"reserved", posixshm.Options{}, posixshm.MapOptions{}},
		{"touched by the maker", *filled(1, false), posixshm.MapOptions{}},
		{"prefaulted", posixshm.Options{}, posixshm.MapOptions{Prefault: true}},
	} {
		b.Run(way.name, func(b *testing.B) {
			var touching time.Duration
			var faults int64
			for b.Loop() {
				obj, err := d.Create("/frames", size, &way.options)
				if err != nil {
					b.Fatal(err)
				}
				m, err := obj.Map(&way.mapping)
				if err != nil {
					b.Fatal(err)
				}
				mem := m.Bytes()
				before, begin := pageFaults(b), time.Now()
				for i := 0; i < size; i += os.Getpagesize() {
					mem[i] = 1
				}
				touching += time.Since(begin)
				faults += pageFaults(b) - before
				if err := errors.Join(m.Close(), obj.Remove(), obj.Close()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(faults)/float64(b.N)/float64(size/os.Getpagesize()), "faults/page")
			b.ReportMetric(float64(touching.Nanoseconds())/float64(b.N)/float64(size/os.Getpagesize()), "ns/page")
		})
	}
	b.Run("the prefault itself", func(b *testing.B) {
		obj := create(b, d, "/frames", size, nil)
		b.SetBytes(size)
		for b.Loop() {
			m, err := obj.Map(&posixshm.MapOptions{Prefault: true})
			if err == nil {
				err = m.Close()
			}
			if err != nil {
				b.Fatal(err)
			}
		}
		ok(b, obj.Remove())
	})
}

// pageFaults returns how many this process had that needed no device.
func pageFaults(b *testing.B) int64 {
	var use syscall.Rusage
	ok(b, syscall.Getrusage(syscall.RUSAGE_SELF, &use))
	return use.Minflt
}

// Replacing, and listing.
func BenchmarkReplace(b *testing.B) {
	d := newDir(b)
	for b.Loop() {
		obj, err := d.Create("/frames", 4096, &posixshm.Options{Replace: true})
		if err == nil {
			err = obj.Close()
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkList(b *testing.B) {
	d := newDir(b)
	for i := range 100 {
		create(b, d, fmt.Sprint("/", i), 1, nil)
	}
	for b.Loop() {
		if _, err := d.List(); err != nil {
			b.Fatal(err)
		}
	}
}
