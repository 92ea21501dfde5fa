package filemap

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"syscall"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/fdmap"
	"github.com/shmkit/shmkit/internal/sys"
)

// Sizes of a scan, in bytes.
const (
	defaultChunk    = 1 << 20
	defaultResident = 16 << 20
	// hugePage: windows begin at a multiple of it where they are long enough, so that the
	// kernel can map large pieces of its cache at once.
	hugePage = 2 << 20
)

// ScanOptions is how to scan a file. The zero value scans all of it.
type ScanOptions struct {
	// Off and Len are the part to scan, in bytes; Len 0 is all from Off on that is there
	// when the scan begins. A part that does not lie in the file is shmkit.ErrTruncated.
	Off, Len int64
	// Chunk is how many bytes are handed over at a time; only the last of a run may be
	// fewer. 0 is 1 MiB.
	Chunk int
	// Overlap makes each chunk begin with that many last bytes of the one before, for
	// searching: what is at most one byte longer always lies in one chunk as a whole. It is
	// less than Chunk.
	Overlap int
	// Resident is how many bytes of the file are mapped at a time, and so can count as
	// this process's resident memory. 0 is 16 MiB; a Chunk and two pages is the least.
	Resident int64
	// Hole, if not nil, is called for each hole of a sparse file instead of handing over
	// its zeros, which saves the time to read them. Overlap bytes of zeros on each side of
	// a hole are handed over nevertheless.
	Hole func(off, n int64) error
	// DropCache gives back the kernel's cache of what was scanned, if nobody else has it
	// mapped and it is not dirty: other programs' pages stay in memory.
	DropCache bool
	// Progress, if not nil, is called after each chunk and each hole with the number of
	// bytes that are done and that there are.
	Progress func(done, total int64)
}

// Scan hands the content of a file to do, chunk by chunk in ascending order, with the
// offset of each in the file. It maps a window of it at a time, so that a file of any
// size takes a bounded part of memory, and no byte is copied.
//
// chunk is valid until do returns, and read-only. do runs under shmkit.Guard: when
// somebody makes the file shorter, or the device fails, the scan ends with a
// *shmkit.FaultError whose Off counts in the file, and the rest of do is not executed. An
// error of do ends the scan and is returned as it is, as is that of ctx between two chunks.
func Scan(ctx context.Context, path string, o *ScanOptions, do func(off int64, chunk []byte) error) error {
	file, err := openRegular(path, false, false)
	if err != nil {
		return fail("scan", path, err)
	}
	f := newFile(path, file, Options{})
	defer f.Close() // it was opened for reading: there is nothing that could be lost
	return f.Scan(ctx, o, do)
}

// Scan is the function Scan for a file that is open. It has nothing to do with the main
// mapping.
func (f *File) Scan(ctx context.Context, o *ScanOptions, do func(off int64, chunk []byte) error) (err error) {
	s := scan{ctx: ctx, file: f, do: do}
	if o != nil {
		s.ScanOptions = *o
	}
	size, err := f.f.Size()
	if err == nil && size == 0 {
		err = f.sizeless()
	}
	if err == nil {
		err = s.check(size)
	}
	if err != nil {
		return fail("scan", f.path, named("scan", f.path, err))
	}
	if s.Len == 0 {
		s.Len = size - s.Off
	}
	defer func() {
		if e := s.leave(); err == nil {
			err = e
		}
	}()
	if s.Hole == nil {
		return s.data(s.Off, s.Off+s.Len)
	}
	return s.runs(s.data)
}

// sizeless refuses a file that says that it is empty and has something to read, as those
// of /proc do: it cannot be mapped.
func (f *File) sizeless() error {
	return f.f.Use(func(o *os.File) error {
		if n, _ := o.ReadAt(make([]byte, 1), 0); n == 0 {
			return nil
		}
		return &Error{Err: syscall.ENODEV, Hint: "it has content but no length, as files of /proc do, and cannot be mapped; read it"}
	})
}

// scan is a scan under way.
type scan struct {
	ScanOptions
	ctx  context.Context
	file *File
	do   func(off int64, chunk []byte) error

	window *shmkit.Mapping // nil before the first
	from   int64           // offset of the window in the file
	bytes  []byte          // of the window
}

// check sets what is not set, and checks the rest.
func (s *scan) check(size int64) error {
	if s.Chunk == 0 {
		s.Chunk = defaultChunk
		if s.Overlap < math.MaxInt {
			s.Chunk = max(s.Chunk, s.Overlap+1)
		}
	}
	if s.Resident == 0 {
		s.Resident = defaultResident
	}
	invalid := func(format string, args ...any) error {
		return &Error{Err: syscall.EINVAL, Hint: fmt.Sprintf(format, args...)}
	}
	switch {
	case s.Off < 0 || s.Len < 0 || s.Chunk < 0 || s.Resident < 0:
		return invalid("Off %d, Len %d, Chunk %d, Resident %d: none may be negative", s.Off, s.Len, s.Chunk, s.Resident)
	case s.Overlap < 0 || s.Overlap >= s.Chunk:
		return invalid("Overlap %d is not between 0 and Chunk %d", s.Overlap, s.Chunk)
	}
	if err := checkPart("scan", s.Off, s.Len, size); err != nil {
		return err
	}
	// A chunk larger than the file is one of the file, and so is what may be resident.
	page := int64(os.Getpagesize())
	s.Chunk = int(min(int64(s.Chunk), max(size, int64(s.Overlap)+1)))
	s.Resident = max(min(s.Resident, size+2*page)/page*page, (int64(s.Chunk)+page-1)/page*page+page)
	return nil
}

// data scans the bytes from begin to end.
func (s *scan) data(begin, end int64) error {
	for off := begin; off < end; {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		n := min(int64(s.Chunk), end-off)
		if err := s.reach(off, n); err != nil {
			return err
		}
		at := off - s.from
		chunk := s.bytes[at : at+n : at+n]
		var err error
		if fault := shmkit.Guard(func() { err = s.do(off, chunk) }); fault != nil {
			return s.inFile(fault)
		}
		if err != nil {
			return err
		}
		s.progress(off + n)
		if off += n; off < end {
			off -= int64(s.Overlap)
		}
	}
	return nil
}

// reach makes the window show n bytes at off.
func (s *scan) reach(off, n int64) error {
	before, behind := s.from, s.from+int64(len(s.bytes))
	if off >= before && off+n <= behind {
		return nil
	}
	align := int64(hugePage)
	if s.Resident < 4*align || off%align+n > s.Resident {
		align = int64(os.Getpagesize())
	}
	from := off - off%align
	length := min(s.Resident, s.Off+s.Len-from) // shorter than the one before at the end only, so that it fits its place
	m, err := s.file.f.Map(fdmap.Options{Off: from, Len: length, Protection: shmkit.Read, Replace: s.window})
	if err != nil {
		return err
	}
	s.window, s.from, s.bytes = m, from, m.Bytes()
	s.drop(before, min(behind, from))
	// Huge pages let the cache be filled in pieces that are mapped at once, which is several
	// times as fast; kernels without them refuse (EINVAL).
	_ = m.Advise(0, length, shmkit.AdviseHugePage)
	return m.Advise(0, length, shmkit.AdviseSequential)
}

// leave unmaps the window.
func (s *scan) leave() error {
	if s.window == nil {
		return nil
	}
	err := s.window.Close()
	s.drop(s.from, s.from+int64(len(s.bytes)))
	return err
}

// drop drops a part that is no longer mapped from the cache, if that is wanted.
func (s *scan) drop(begin, end int64) {
	if !s.DropCache || begin >= end {
		return
	}
	begin -= begin % hugePage                 // the cache may be in pieces that long, and they go as a whole only
	_ = s.file.f.Use(func(o *os.File) error { // it is a favour to others, and not worth an error
		return sys.Fadvise(int(o.Fd()), begin, end-begin, sys.FADV_DONTNEED)
	})
}

// inFile makes the offset of a fault in the window one in the file.
func (s *scan) inFile(err error) error {
	fault, ok := err.(*shmkit.FaultError)
	if !ok || fault.Addr < s.window.Addr() || fault.Addr-s.window.Addr() >= uintptr(len(s.bytes)) {
		return err // of a mapping of the caller's
	}
	there := *fault
	there.Off += s.from
	if there.Access == 0 && !errors.Is(there.Err, shmkit.ErrReadOnly) { // else it may have been a store to the chunk
		there.Access = shmkit.Read
	}
	return &there
}

func (s *scan) progress(upTo int64) {
	if s.Progress != nil {
		s.Progress(upTo-s.Off, s.Len)
	}
}
