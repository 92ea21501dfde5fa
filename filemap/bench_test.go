package filemap_test

import (
	"math/rand/v2"
	"os"
	"testing"

	"github.com/shmkit/shmkit/filemap"
)

func BenchmarkOpenClose(b *testing.B) {
	path := newFile(b, pattern(1<<20))
	b.Run("filemap", func(b *testing.B) {
		for b.Loop() {
			f, err := filemap.Open(path, nil)
			must(b, err)
			must(b, f.Close())
		}
	})
	b.Run("os", func(b *testing.B) {
		for b.Loop() {
			f, err := os.Open(path)
			must(b, err)
			must(b, f.Close())
		}
	})
}

// BenchmarkReadAt reads 64 bytes at random offsets.
func BenchmarkReadAt(b *testing.B) {
	const size = 16 << 20
	path := newFile(b, pattern(size))
	f := open(b, path, &filemap.Options{Populate: true})
	plain := osFile(b, path)
	for name, r := range map[string]interface {
		ReadAt([]byte, int64) (int, error)
	}{"filemap": f, "mapping": f.Mapping(), "pread": plain} {
		b.Run(name, func(b *testing.B) {
			var p [64]byte
			r2 := rand.New(rand.NewPCG(1, 2))
			b.SetBytes(int64(len(p)))
			for b.Loop() {
				if _, err := r.ReadAt(p[:], r2.Int64N(size-64)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFlush stores 8 bytes and brings them to the device, as a database does, beside
// pwrite and fdatasync.
func BenchmarkFlush(b *testing.B) {
	f := openNew(b, pattern(1<<20), &filemap.Options{Writable: true})
	store := func(b *testing.B) {
		_, err := f.WriteAt([]byte("8 bytes!"), 4096)
		must(b, err)
	}
	b.Run("Sync", func(b *testing.B) {
		for b.Loop() {
			store(b)
			must(b, f.Flush(4096, 8, filemap.Sync))
		}
	})
	b.Run("Async", func(b *testing.B) {
		for b.Loop() {
			store(b)
			must(b, f.Flush(4096, 8, filemap.Async))
		}
	})
	b.Run("nothing to write", func(b *testing.B) {
		for b.Loop() {
			must(b, f.Flush(4096, 8, filemap.Sync))
		}
	})
	b.Run("File.Sync", func(b *testing.B) {
		for b.Loop() {
			store(b)
			must(b, f.Sync())
		}
	})
}
