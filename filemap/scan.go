package filemap

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"syscall"

	"github.com/shmkit/shmkit"
)

// Sizes of a scan, in bytes.
const (
	defaultChunk    = 256 << 10 // stays in the cache of a core while it is used
	defaultResident = 16 << 20
)

// ScanOptions is how to scan a file. The zero value scans all of it.
type ScanOptions struct {
	// Off and Len are the part to scan, in bytes; Len 0 is all from Off on that is there
	// when the scan begins. A part that does not lie in the file is shmkit.ErrTruncated.
	Off, Len int64
	// Chunk is how many bytes are handed over at a time; only the last of a run may be
	// fewer. 0 is 256 KiB.
	Chunk int
	// Overlap makes each chunk begin with that many last bytes of the one before, for
	// searching: what is at most one byte longer always lies in one chunk as a whole. It is
	// less than Chunk.
	Overlap int
	// Resident is how many bytes of the file are there at a time, and so can count as
	// this process's resident memory. 0 is 16 MiB; a Chunk and two pages is the least.
	Resident int64
	// Hole, if not nil, is called for each hole of a sparse file instead of handing over
	// its zeros, which saves the time to read them. Overlap bytes of zeros on each side of
	// a hole are handed over nevertheless.
	Hole func(off, n int64) error
	// Method is how the bytes are come by; the zero value finds out what is faster.
	Method ScanMethod
	// DropCache gives back the kernel's cache of what was scanned, if nobody else has it
	// mapped and it is not dirty: other programs' pages stay in memory.
	DropCache bool
	// Progress, if not nil, is called after each chunk and each hole with the number of
	// bytes that are done and that there are.
	Progress func(done, total int64)
}

// A ScanMethod is how a scan comes by the bytes of a file.
type ScanMethod int

const (
	// ScanFaster tries both on a few pages now and then, and goes on with what is faster
	// there. What takes less time to go through than to try is copied, or, if it is less
	// than 1 MiB, mapped.
	ScanFaster ScanMethod = iota
	// ScanMapped maps the file, a window at a time. No byte is copied, but the first touch of
	// each page has its price: little where the kernel's cache is of large pages, and much
	// where a hypervisor keeps page tables of its own.
	ScanMapped
	// ScanCopied reads the file, a Chunk at a time, into a buffer that stays in the processor's
	// cache if Chunk is small enough. The buffer is mapped twice.
	ScanCopied
)

// Scan hands the content of a file to do, chunk by chunk in ascending order, with the
// offset of each in the file. A file of any size takes a bounded part of memory: it shows a
// window at a time, which is mapped, or read into a buffer, as Method says.
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
	s.mapped.scan, s.copied.scan = &s, &s
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
		if e := errors.Join(s.mapped.leave(), s.copied.leave()); err == nil {
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

	done   int64 // offset behind what was handed over
	mapped mappedPart
	copied copiedPart
	choice choice
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
	case s.Method < ScanFaster || s.Method > ScanCopied:
		return invalid("there is no Method %d", s.Method)
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
		part, err := s.choose(off, end)
		if err != nil {
			return err
		}
		chunk, err := part.at(off, n)
		if err != nil {
			return err
		}
		if fault := shmkit.Guard(func() { err = s.do(off, chunk) }); fault != nil {
			return part.here().inFile(fault)
		}
		if err != nil {
			return err
		}
		s.done = off + n
		s.progress(off + n)
		if off += n; off < end {
			off -= int64(s.Overlap)
		}
	}
	return nil
}

func (s *scan) progress(upTo int64) {
	if s.Progress != nil {
		s.Progress(upTo-s.Off, s.Len)
	}
}
