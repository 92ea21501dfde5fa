package proc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/shmkit/shmkit/internal/sys"
)

// wordsFile is a file of 64-bit words.
func wordsFile(t *testing.T, dir, name string, words ...uint64) string {
	t.Helper()
	var b []byte
	for _, w := range words {
		b = binary.NativeEndian.AppendUint64(b, w)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func openPagemap(t *testing.T, path string) *Pagemap {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return NewPagemap(f)
}

func TestPagemapEntries(t *testing.T) {
	p := openPagemap(t, wordsFile(t, t.TempDir(), "pagemap", 0, 1<<63|1<<61|1<<56|1<<55|0x1a2b3, 1<<62|0x55, 1<<58))
	entries := make([]PagemapEntry, 8)
	n, err := p.Read(p.page, entries) // from the second page on
	if n != 3 || err != nil {
		t.Fatal(n, err)
	}
	if e := entries[0]; e.Frame() != 0x1a2b3 || e&(PagemapPresent|PagemapFile|PagemapExclusive|PagemapSoftDirty) == 0 || e&PagemapSwapped != 0 {
		t.Errorf("%x", e)
	}
	if e := entries[1]; e.Frame() != 0 || e&PagemapSwapped == 0 { // what stands there is where in the swap
		t.Errorf("%x", e)
	}
	if e := entries[2]; e&PagemapGuard == 0 || e.Frame() != 0 {
		t.Errorf("%x", e)
	}
	if n, err := p.Read(100*p.page, entries); n != 0 || err != nil {
		t.Error(n, err)
	}
}

func populated(t *testing.T, p *Pagemap, start, end uint64) (ranges []PageRange, failed error) {
	t.Helper()
	for r, err := range p.Populated(start, end) {
		if err != nil {
			return ranges, err
		}
		ranges = append(ranges, r)
	}
	return ranges, nil
}

func TestPopulatedPartsOfAFixture(t *testing.T) {
	words := make([]uint64, 2*pagemapChunk)
	words[3], words[5], words[pagemapChunk+7] = 1<<63, 1<<62, 1<<58
	p := openPagemap(t, wordsFile(t, t.TempDir(), "pagemap", words...))
	at := func(page int) uint64 { return uint64(page) * p.page }
	got, err := populated(t, p, 0, at(2*pagemapChunk))
	want := []PageRange{{Start: at(3), End: at(6)}, {Start: at(pagemapChunk + 7), End: at(pagemapChunk + 8)}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	// Behind its end there is no memory.
	if got, err := populated(t, p, at(pagemapChunk+8), at(2*pagemapChunk+1)); len(got) > 0 || !errors.Is(err, ErrNoMemory) {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := populated(t, p, 0, 0); len(got) > 0 || err != nil {
		t.Errorf("%v, %v", got, err)
	}
}

// The kernel that skips what is empty, and the way for those that don't, find the same pages.
func TestPopulatedPartsOfMemory(t *testing.T) {
	const pages = 5000
	page := uint64(os.Getpagesize())
	fd, err := sys.MemfdCreate("pages", 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "pages")
	defer f.Close()
	if err := f.Truncate(int64(pages * page)); err != nil {
		t.Fatal(err)
	}
	addr, err := sys.Mmap(0, pages*page, sys.PROT_READ|sys.PROT_WRITE, sys.MAP_SHARED, fd, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer sys.Munmap(addr, int(pages*page))
	start := uint64(addr)
	want := []uint64{start, start + 17*page, start + 18*page, start + 4999*page}
	for _, at := range want {
		if err := sys.Madvise(uintptr(at), page, sys.MADV_POPULATE_WRITE); err != nil {
			t.Skipf("pages cannot be made one by one: %v", err) // before Linux 5.14
		}
	}
	for _, plain := range []bool{false, true} {
		t.Run(fmt.Sprint("plain ", plain), func(t *testing.T) {
			p := openPagemap(t, "/proc/self/pagemap")
			p.plain = plain
			ranges, err := populated(t, p, start, start+pages*page)
			if err != nil {
				t.Fatal(err)
			}
			var got []uint64
			for _, r := range ranges {
				entries := make([]PagemapEntry, (r.End-r.Start)/page)
				if n, err := p.Read(r.Start, entries); n != len(entries) || err != nil {
					t.Fatal(n, err)
				}
				for i, e := range entries {
					if e&PagemapPresent != 0 {
						got = append(got, r.Start+uint64(i)*page)
					}
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%x, want %x", got, want)
			}
			if !plain && !p.plain && len(ranges) != 3 {
				t.Errorf("the kernel tells of ranges one by one, and there are %v", ranges)
			}
		})
	}
}

func TestFramesAreReadInAnyOrder(t *testing.T) {
	dir := t.TempDir()
	flags, counts := make([]uint64, 1000), make([]uint64, 1000)
	for i := range flags {
		flags[i], counts[i] = uint64(i)<<4, uint64(i)%7
	}
	wordsFile(t, dir, "kpageflags", flags...)
	wordsFile(t, dir, "kpagecount", counts[:900]...)
	k, err := OpenKPages(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	frames := []uint64{999, 5, 6, 0, 70, 5, 899, 5000, 1}
	got := make([]KPage, len(frames))
	if err := k.Read(frames, got); err != nil {
		t.Fatal(err)
	}
	for i, f := range frames {
		want := KPage{}
		if f < 1000 {
			want.Flags = KPageFlags(f << 4)
		}
		if f < 900 {
			want.Maps = f % 7
		}
		if got[i] != want {
			t.Errorf("frame %d: %+v, want %+v", f, got[i], want)
		}
	}
	if _, err := OpenKPages(filepath.Join(dir, "nosuch")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
