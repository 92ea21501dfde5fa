package filemap

import (
	"math"
	"os"
	"runtime"
	"time"

	"github.com/shmkit/shmkit"
)

// When and where a scan tries what is faster, in bytes.
const (
	copiedFrom  = 1 << 20  // what is shorter is mapped: a buffer would not pay
	triedFrom   = 16 << 20 // what is shorter is copied: to try takes some of these
	sampleSize  = 256 << 10
	mappedUntil = 64 << 20 // then it is tried anew: one mistake that way costs more
	copiedUntil = 256 << 20
)

// choice is what the scan goes on with.
type choice struct {
	part  part  // nil before the first
	until int64 // offset in the file from which on it is not known
}

// choose returns what to come by the bytes at off with, of those up to end.
func (s *scan) choose(off, end int64) (part, error) {
	c := &s.choice
	switch {
	case s.Method == ScanMapped:
		return &s.mapped, nil
	case s.Method == ScanCopied:
		return &s.copied, nil
	case c.part != nil && (off < c.until || end-off < triedFrom):
		return c.part, nil
	case end-off < copiedFrom, int64(s.Chunk) > s.Resident/4: // of a buffer there are two mappings, and a window
		return &s.mapped, nil
	case end-off < triedFrom:
		*c = choice{&s.copied, end}
		return c.part, s.mapped.leave()
	}
	// Who goes on with the other gives back what the one before has.
	if err := s.copied.leave(); err != nil {
		return nil, err
	}
	*c = choice{&s.mapped, off + mappedUntil}
	if s.copyingIsFaster(off) {
		*c = choice{&s.copied, off + copiedUntil}
		return c.part, s.mapped.leave()
	}
	return c.part, s.copied.leave()
}

// copyingIsFaster measures how long it takes to come by the bytes of a sample in either way.
// What fails here fails where it is reached, too, and is told there.
func (s *scan) copyingIsFaster(off int64) bool {
	n := min(sampleSize, int64(s.Chunk))
	b, err := s.mapped.at(off, n)
	// If they are not in the cache, what comes first fills it; and a mapping lets it be
	// filled with large pieces.
	if err != nil || touch(b) != nil {
		return false
	}
	copied := time.Duration(math.MaxInt64)
	for range 3 {
		begin := time.Now()
		s.copied.bytes = nil // read again
		if _, err := s.copied.at(off, n); err != nil {
			return false
		}
		copied = min(copied, time.Since(begin))
	}
	mapped, err := s.mapped.cost(off, n)
	return err == nil && 2*mapped > copied // half of copying is to fetch them, which who uses a mapping has still to do
}

// cost returns how long it takes to have n bytes at off mapped, which are in the window, and so
// in the cache.
func (p *mappedPart) cost(off, n int64) (time.Duration, error) {
	page := int64(os.Getpagesize())
	begin, end := (off-p.from)/page*page, (off-p.from+n+page-1)/page*page
	if err := p.m.Advise(begin, end-begin, shmkit.AdviseDontNeed); err != nil { // mapped no more
		return 0, err
	}
	b := p.bytes[begin:min(end, int64(len(p.bytes)))]
	start := time.Now()
	err := touch(b[:page])
	first := time.Since(start)
	if err == nil {
		err = touch(b[page:])
	}
	rest := time.Since(start) - first
	// Pages have to be taken away again, which takes about as long as to have them; what the
	// first one took is for all of a huge page, if it is one.
	return 2*rest + first*time.Duration(n)/hugePage, err
}

// touch reads a byte of each page.
func touch(b []byte) error {
	return shmkit.Guard(func() {
		sum := byte(0)
		for i := 0; i < len(b); i += os.Getpagesize() {
			sum += b[i]
		}
		runtime.KeepAlive(sum)
	})
}
