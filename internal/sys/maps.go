package sys

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"os"
)

// MapsEntry is one line of /proc/self/maps: a range of addresses of one kind.
type MapsEntry struct {
	Start, End uintptr
	Perms      string // "rw-s"
	Offset     uint64 // in what is mapped, bytes
	Device     string // "00:1a"
	Inode      uint64 // 0: nothing is mapped there but anonymous memory
	Path       string
}

// Prot returns the entry's PROT_ bits.
func (e MapsEntry) Prot() int {
	prot := 0
	for i, bit := range []int{PROT_READ, PROT_WRITE, PROT_EXEC} {
		if e.Perms[i] != '-' {
			prot |= bit
		}
	}
	return prot
}

// Shared reports whether stores reach the object that is mapped.
func (e MapsEntry) Shared() bool { return e.Perms[3] == 's' }

// ParseMapsEntry parses a line of /proc/PID/maps.
func ParseMapsEntry(line string) (e MapsEntry, err error) {
	l, ok := ParseMapsLine([]byte(line))
	if !ok || l.End > math.MaxUint {
		return MapsEntry{}, fmt.Errorf("unexpected line %q in maps", line)
	}
	return MapsEntry{Start: uintptr(l.Start), End: uintptr(l.End), Perms: string(l.Perms[:]), Offset: l.Offset,
		Device: fmt.Sprintf("%02x:%02x", l.Major, l.Minor), Inode: l.Inode, Path: string(l.Path)}, nil
}

// Maps ranges over the mappings of this process that lie in or reach into the
// addresses from start to end. It ends early where ReadMaps has an error.
func Maps(start, end uintptr) iter.Seq[MapsEntry] {
	return func(yield func(MapsEntry) bool) {
		for e, err := range ReadMaps(start, end) {
			if err != nil || !yield(e) {
				return
			}
		}
	}
}

// ReadMaps is Maps for who must not miss any. An error, such as EMFILE, comes last.
func ReadMaps(start, end uintptr) iter.Seq2[MapsEntry, error] {
	return func(yield func(MapsEntry, error) bool) {
		f, err := os.Open("/proc/self/maps")
		if err != nil {
			yield(MapsEntry{}, err)
			return
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			if endsBefore(lines.Bytes(), start) {
				continue
			}
			e, err := ParseMapsEntry(lines.Text())
			if err == nil && e.Start >= end || !yield(e, err) || err != nil {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(MapsEntry{}, err)
		}
	}
}

// endsBefore reports whether a line is about addresses below start: of the tens of
// thousands that there may be, all but a few. It allocates nothing.
func endsBefore(line []byte, start uintptr) bool {
	end, behind := uintptr(0), false
	for _, c := range line {
		switch {
		case c == '-':
			behind = true
		case !behind:
		case '0' <= c && c <= '9':
			end = end<<4 | uintptr(c-'0')
		case 'a' <= c && c <= 'f':
			end = end<<4 | uintptr(c-'a'+10)
		default:
			return c == ' ' && end <= start
		}
	}
	return false
}

// MappedLength returns how long the mapping is that begins at addr, as
// /proc/self/maps has it. Nothing else tells for a mapping of huge pages, which is
// longer than what was asked for.
func MappedLength(addr uintptr) (n int, ok bool) {
	for e := range Maps(addr, addr+1) {
		return int(e.End - e.Start), e.Start == addr
	}
	return 0, false
}

// Bits of an entry of /proc/PID/pagemap.
const (
	PagemapPresent = 1 << 63
	PagemapGuard   = 1 << 58 // a guard page; since Linux 6.15
)

// Pagemap returns what /proc/self/pagemap tells of the page at addr; frame numbers
// are 0 but for root.
func Pagemap(addr uintptr) (uint64, bool) {
	f, err := os.Open("/proc/self/pagemap")
	if err != nil {
		return 0, false
	}
	defer f.Close()
	var b [8]byte
	_, err = f.ReadAt(b[:], int64(addr)/int64(os.Getpagesize())*8)
	return binary.NativeEndian.Uint64(b[:]), err == nil
}
