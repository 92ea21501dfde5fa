package filemap_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/filemap"
	"github.com/shmkit/shmkit/internal/testenv"
)

var scanRoles = map[string]testenv.Role{"scan": scanAndMeasure}

// field returns a field of /proc/self/status that is a size, in bytes.
func field(name string) (n int64, err error) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			_, err := fmt.Sscan(rest, &n)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("the kernel tells no %s", name)
}

// scanAndMeasure scans a file and says how large the resident set was before, and at most
// meanwhile.
func scanAndMeasure(args []string) error {
	resident, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		return err
	}
	o := &filemap.ScanOptions{Resident: resident, DropCache: args[2] == "drop"}
	if args[3] == "skip holes" {
		o.Hole = func(int64, int64) error { return nil }
	}
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil { // the highest is now
		return err
	}
	before, err := field("VmRSS")
	if err != nil {
		return err
	}
	sum, highestOfFiles := 0, int64(0)
	asked := int64(-1)
	o.Progress = func(done, total int64) {
		const often = 32 << 20 // asking takes memory, which is not what is measured
		if done/often == asked {
			return
		}
		asked = done / often
		if n, err := field("RssFile"); err == nil {
			highestOfFiles = max(highestOfFiles, n)
		}
	}
	err = filemap.Scan(context.Background(), args[0], o, func(_ int64, chunk []byte) error {
		sum += bytes.Count(chunk, []byte{1})
		return nil
	})
	highest, e := field("VmHWM")
	if err := errors.Join(err, e); err != nil {
		return err
	}
	return testenv.Say("%d %d %d %d", before, highest, highestOfFiles, sum)
}

// measureScan runs the role on a file, and requires its resident set to grow by no more
// than the scan was told. It returns how large it was at most.
func measureScan(t *testing.T, path string, resident int64, drop, holes string) (highest int64, sum int) {
	t.Helper()
	p := testenv.Start(t, "scan", path, strconv.FormatInt(resident, 10), drop, holes)
	line, err := p.ReadLine()
	if err := errors.Join(err, p.Wait()); err != nil {
		t.Fatalf("%v\n%s", err, p.Stderr())
	}
	var before, ofFiles int64
	_, err = fmt.Sscan(line, &before, &highest, &ofFiles, &sum)
	must(t, err)
	t.Logf("%s, %d MiB at a time: resident %.1f MiB before, %.1f MiB at most, %.1f MiB of that files",
		path, resident>>20, mib(before), mib(highest), mib(ofFiles))
	// What is counted in batches by each processor, and the heap of a few system calls.
	const slack = 4 << 20
	if highest-before > resident+slack {
		t.Errorf("the resident set grew by %.1f MiB, more than %d MiB", mib(highest-before), resident>>20)
	}
	return highest, sum
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

// realFile makes a file without holes, and returns how many of its bytes are 1.
func realFile(t *testing.T, path string, size int64) (ones int) {
	t.Helper()
	f, err := os.Create(path)
	must(t, err)
	defer closeOK(t, f)
	block := make([]byte, 1<<20)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(block)
	for off := int64(0); off < size; off += int64(len(block)) {
		block[off>>20%int64(len(block))]++
		_, err := f.Write(block)
		must(t, err)
		ones += bytes.Count(block, []byte{1})
	}
	return ones
}

func TestScanKeepsTheResidentSetBounded(t *testing.T) {
	path := newPath(t)
	size := int64(256 << 20)
	if testing.Short() {
		size = 64 << 20
	}
	ones := realFile(t, path, size)
	for _, resident := range []int64{16 << 20, 4 << 20} {
		for _, drop := range []string{"keep", "drop"} {
			if _, sum := measureScan(t, path, resident, drop, "all"); sum != ones {
				t.Errorf("counted %d, want %d", sum, ones)
			}
		}
	}
}

func TestScanOfASparseFileKeepsTheResidentSetBounded(t *testing.T) {
	path := newPath(t)
	f := create(t, path, 4<<30, &filemap.Options{Sparse: true})
	for off := int64(1 << 20); off < 4<<30; off += 16<<20 + 12345 {
		_, err := f.WriteAt([]byte{1}, off)
		must(t, err)
	}
	if _, sum := measureScan(t, path, 8<<20, "keep", "skip holes"); sum != 256 {
		t.Errorf("counted %d", sum)
	}
}

// The sizes that are promised: 4 GiB sparse, 2 GiB real, under 64 MiB in all.
func TestScanOfLargeFilesInSixtyFourMebibytes(t *testing.T) {
	testenv.RequireSoak(t)
	const limit = 64 << 20
	real, sparse := newPath(t), newPath(t)
	ones := realFile(t, real, 2<<30)
	create(t, sparse, 4<<30, &filemap.Options{Sparse: true})
	for _, c := range []struct {
		path, drop, holes string
		sum               int
	}{{real, "keep", "all", ones}, {real, "drop", "all", ones}, {sparse, "drop", "all", 0}, {sparse, "keep", "skip holes", 0}} {
		highest, sum := measureScan(t, c.path, 32<<20, c.drop, c.holes)
		if highest > limit || sum != c.sum {
			t.Errorf("%s: %.1f MiB resident, counted %d, want %d", c.path, mib(highest), sum, c.sum)
		}
	}
}
