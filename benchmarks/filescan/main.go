// Filescan measures how fast one process goes through a file: all of it from the
// beginning to the end, and in 64-byte reads at random offsets. The ways are read(2)
// with buffers of several sizes, a plain mapping of the whole file as
// github.com/edsrzf/mmap-go makes it, and package filemap. They take turns within each
// round, so that drift of the machine hits all alike, on a file that is in the cache of
// the kernel, and once more on one that is not.
//
//	go run ./benchmarks/filescan [-size MiB] [-rounds N] [-dir DIR] [-reads N]
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"slices"
	"time"

	"github.com/shmkit/shmkit/internal/filescan"
	"github.com/shmkit/shmkit/internal/sys"
)

func main() {
	log.SetFlags(0)
	size := flag.Int64("size", 1024, "MiB of the file")
	rounds := flag.Int("rounds", 5, "rounds")
	reads := flag.Int("reads", 1_000_000, "random reads a round")
	dir := flag.String("dir", "", "where to make the file; the default is the folder for temporary files")
	flag.Parse()
	if *size < 1 || *rounds < 1 || *reads < 1 {
		log.Fatal("-size, -rounds and -reads must be at least 1")
	}
	if err := measure(*dir, *size<<20, *rounds, *reads); err != nil {
		log.Fatal(err)
	}
}

func measure(dir string, size int64, rounds, reads int) (err error) {
	path, err := makeFile(dir, size)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(path)) }()

	fmt.Printf("%d MiB, %d rounds, median (slowest to fastest)\n", size>>20, rounds)
	fmt.Println("\nfrom the beginning to the end, in the kernel's cache as write(2) has filled it:")
	if err := takeTurns(scans(), rounds, path, size, func(string) error { return nil }, mibs(size)); err != nil {
		return err
	}
	fmt.Println("\nfrom the beginning to the end, from the device:")
	if err := takeTurns(scans(), min(rounds, 3), path, size, evict, mibs(size)); err != nil {
		return err
	}
	fmt.Println("\nfrom the beginning to the end, in the kernel's cache as filemap.Scan has filled it from the device:")
	if err := evict(path); err != nil {
		return err
	}
	if _, err := filescan.Scan(nil)(path, size, func([]byte) {}); err != nil {
		return err
	}
	if err := takeTurns(scans(), rounds, path, size, func(string) error { return nil }, mibs(size)); err != nil {
		return err
	}
	fmt.Printf("\n%d reads of 64 bytes at random offsets, in the kernel's cache:\n", reads)
	return takeTurns(randoms(reads), rounds, path, size, func(string) error { return nil }, func(d time.Duration) string {
		return fmt.Sprintf("%7.0f ns", float64(d.Nanoseconds())/float64(reads))
	})
}

func takeTurns(ways []way, rounds int, path string, size int64, before func(string) error, show func(time.Duration) string) error {
	took := make([][]time.Duration, len(ways))
	var sum uint64
	for round := range rounds + 1 { // the first warms up
		for i, w := range ways {
			if err := before(path); err != nil {
				return err
			}
			var s uint64
			d, err := w.Run(path, size, func(p []byte) { s += filescan.Digest(p) })
			if err != nil {
				return fmt.Errorf("%s: %w", w.Name, err)
			}
			if round == 0 && i == 0 {
				sum = s
			}
			if s != sum {
				return fmt.Errorf("%s: the sum is %#x, want %#x", w.Name, s, sum)
			}
			if round > 0 {
				took[i] = append(took[i], d)
			}
		}
	}
	best := time.Duration(1<<63 - 1)
	for i, w := range ways {
		if w.Base {
			best = min(best, median(took[i]))
		}
	}
	for i, w := range ways {
		m := median(took[i])
		fmt.Printf("  %-44s %s (%s to %s)  %.2f×\n", w.Name, show(m), show(slices.Max(took[i])), show(slices.Min(took[i])), float64(best)/float64(m))
	}
	return nil
}

func mibs(size int64) func(time.Duration) string {
	return func(d time.Duration) string { return fmt.Sprintf("%6.0f MiB/s", float64(size)/(1<<20)/d.Seconds()) }
}

func median(d []time.Duration) time.Duration {
	s := slices.Sorted(slices.Values(d))
	return s[len(s)/2]
}

// makeFile makes a file of pseudo-random bytes, on the device.
func makeFile(dir string, size int64) (path string, err error) {
	f, err := os.CreateTemp(dir, "filescan-*")
	if err != nil {
		return "", err
	}
	defer func() {
		if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	block := make([]byte, 1<<20)
	x := uint64(88172645463325252)
	for at := int64(0); at < size; at += int64(len(block)) {
		for i := range block {
			x ^= x << 13
			x ^= x >> 7
			x ^= x << 17
			block[i] = byte(x)
		}
		if _, err := f.Write(block); err != nil {
			return f.Name(), err
		}
	}
	return f.Name(), nil
}

// evict drops the file from the kernel's cache.
func evict(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return sys.Fadvise(int(f.Fd()), 0, 0, sys.FADV_DONTNEED)
}
