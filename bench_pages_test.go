package shmkit_test

import (
	"fmt"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/fdmap"
	"github.com/shmkit/shmkit/internal/sys"
)

// What growing by a page and shrinking again costs, in reserved space and by moving.
func BenchmarkResize(b *testing.B) {
	for _, pages := range []int{1, 1024} {
		f, _ := newFile(b, 1)
		size := pagesAt(pages)
		m := mapFile(b, f, fdmap.Options{Len: size, Reserve: size + pagesAt(1)})
		b.Run(fmt.Sprintf("in place/%d pages", pages), func(b *testing.B) {
			for b.Loop() {
				if err := m.Resize(size + pagesAt(1)); err != nil {
					b.Fatal(err)
				}
				if err := m.Resize(size); err != nil {
					b.Fatal(err)
				}
			}
		})
		closeOK(b, m)
		b.Run(fmt.Sprintf("move/%d pages", pages), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				m, err := f.Map(fdmap.Options{Len: size, Protection: readWrite})
				if err != nil {
					b.Fatal(err)
				}
				block := m.Addr() + uintptr(size)
				blocked := sys.ReserveAt(block, pageSize) == nil
				at := m.Addr()
				b.StartTimer()
				if err := m.Resize(size + pagesAt(1)); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				if m.Addr() == at {
					b.Fatal("it did not move")
				}
				closeOK(b, m)
				if blocked {
					if err := sys.Munmap(block, pageSize); err != nil {
						b.Fatal(err)
					}
				}
				b.StartTimer()
			}
		})
	}
}

// What it costs to have 256 new pages: touched one by one, or prefaulted and then touched.
func BenchmarkFirstTouch(b *testing.B) {
	const pages = 256
	for _, ahead := range []bool{false, true} {
		b.Run(map[bool]string{false: "touch", true: "Prefault"}[ahead], func(b *testing.B) {
			b.SetBytes(pagesAt(pages))
			f, o := newFile(b, 0)
			for b.Loop() {
				b.StopTimer()
				if err := o.Truncate(0); err != nil {
					b.Fatal(err)
				}
				if err := o.Truncate(pagesAt(pages)); err != nil {
					b.Fatal(err)
				}
				m, err := f.Map(fdmap.Options{Len: pagesAt(pages), Protection: readWrite})
				if err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				if ahead {
					if err := m.Prefault(0, pagesAt(pages), shmkit.Write); err != nil {
						b.Fatal(err)
					}
				}
				memory := m.Bytes()
				for i := range pages {
					memory[i*pageSize] = 1
				}
				b.StopTimer()
				closeOK(b, m)
				b.StartTimer()
			}
		})
	}
}
