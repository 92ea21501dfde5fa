package shmkit_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/fdmap"
)

func BenchmarkGuard(b *testing.B) {
	m := newReadOnly(b, 4096)
	bytes := m.Bytes()
	b.Run("no fault", func(b *testing.B) {
		for b.Loop() {
			if err := shmkit.Guard(func() {}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("fault", func(b *testing.B) {
		for b.Loop() {
			if shmkit.Guard(func() { bytes[0] = 1 }) == nil {
				b.Fatal("no fault")
			}
		}
	})
}

// What the checks, the pin and the guard of ReadAt add to copying.
func BenchmarkRead(b *testing.B) {
	for _, size := range []int{64, 4 << 10, 1 << 20} {
		m := newMapping(b, int64(size))
		p := make([]byte, size)
		if _, err := m.WriteAt(p, 0); err != nil { // brings the pages in
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("ReadAt/%d", size), func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				if _, err := m.ReadAt(p, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("copy/%d", size), func(b *testing.B) {
			b.SetBytes(int64(size))
			from := m.Bytes()
			for b.Loop() {
				copy(p, from)
			}
		})
	}
}

// What a method costs beside the instruction that it is about.
func BenchmarkLoad64(b *testing.B) {
	m := newMapping(b, 4096)
	b.Run("method", func(b *testing.B) {
		for b.Loop() {
			if _, err := m.Load64(8); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("view", func(b *testing.B) {
		v, err := shmkit.View[atomic.Uint64](m, 8)
		if err != nil {
			b.Fatal(err)
		}
		defer closeOK(b, v)
		word := v.Data()
		for b.Loop() {
			word.Load()
		}
	})
}

func BenchmarkView(b *testing.B) {
	f, _ := newFile(b, 1)
	for name, m := range map[string]*shmkit.Mapping{"segment": newMapping(b, 4096), "file": mapFile(b, f, fdmap.Options{Len: pagesAt(1)})} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				v, err := shmkit.View[header](m, 0)
				if err != nil {
					b.Fatal(err)
				}
				if err := v.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
