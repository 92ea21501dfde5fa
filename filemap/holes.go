package filemap

import (
	"errors"
	"os"
	"syscall"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/sys"
)

// runs calls data for each run of data in the part to be scanned, with Overlap bytes of
// the holes beside it, and s.Hole for what is left of each hole.
func (s *scan) runs(data func(begin, end int64) error) error {
	end, beside := s.Off+s.Len, int64(s.Overlap)
	for at := s.Off; at < end; {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		next, err := s.seek(sys.SeekData, at, end)
		if err != nil {
			return err
		}
		if next < end {
			next = max(next-beside, at)
		}
		if next > at {
			if err := s.Hole(at, next-at); err != nil {
				return err
			}
			s.progress(next)
			at = next
			continue
		}
		stop, err := s.endOfRun(at, end, beside)
		if err != nil {
			return err
		}
		if err := data(at, stop); err != nil {
			return err
		}
		at = stop
	}
	return nil
}

// endOfRun returns where the run of data that at lies in, or just before, ends together
// with what is handed over of the hole behind it. Holes of which nothing would be left
// belong to the run.
func (s *scan) endOfRun(at, end, beside int64) (int64, error) {
	for {
		begin, err := s.seek(sys.SeekData, at, end)
		if err != nil {
			return 0, err
		}
		hole, err := s.seek(sys.SeekHole, begin, end)
		if err != nil || hole == end {
			return end, err
		}
		next, err := s.seek(sys.SeekData, hole, end)
		if err != nil {
			return 0, err
		}
		if next == end && hole+beside < end || next-hole > 2*beside {
			return hole + beside, nil
		}
		if next == end {
			return end, nil
		}
		at = next
	}
}

// seek asks for the next data or hole from off on; end if there is none before it.
func (s *scan) seek(what func(fd int, off int64) (int64, error), off, end int64) (at int64, err error) {
	if off >= end {
		return end, nil
	}
	err = s.file.f.Use(func(o *os.File) error {
		at, err = what(int(o.Fd()), off)
		if !errors.Is(err, syscall.ENXIO) {
			return err
		}
		// No data up to the end of the file, wherever that is by now.
		at = end
		info, err := o.Stat()
		if err == nil && info.Size() < end {
			return &Error{Op: "scan", Path: s.file.path, Err: shmkit.ErrTruncated, Hint: "somebody made it shorter meanwhile"}
		}
		return err
	})
	return min(at, end), fail("scan", s.file.path, err)
}
