package filemap

import (
	"os"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/fdmap"
	"github.com/shmkit/shmkit/internal/sys"
)

// A copiedPart is a part that is read into a buffer.
type copiedPart struct {
	scan *scan
	window
	buf     *shmkit.Mapping // the buffer once more, for writing
	dropped int64           // up to where the cache was dropped
}

// at reads n bytes at off into the buffer. What is in it already stays as it is.
func (p *copiedPart) at(off, n int64) ([]byte, error) {
	if p.buf == nil {
		if err := p.make(); err != nil {
			return nil, err
		}
		p.dropped = off
	}
	if b, ok := p.has(off, n); ok {
		return b, nil
	}
	into := p.buf.Bytes()[:n]
	kept, behind := int64(0), p.from+int64(len(p.bytes))
	if off >= p.from && off < behind {
		kept = int64(copy(into, p.buf.Bytes()[off-p.from:len(p.bytes)]))
	}
	p.from, p.bytes = off, p.m.Bytes()[:kept]
	if err := p.scan.file.f.ReadAt(into[kept:], off+kept); err != nil {
		return nil, err
	}
	p.bytes = p.m.Bytes()[:n]
	if off-p.dropped >= p.scan.Resident {
		p.scan.drop(p.dropped, off)
		p.dropped = off
	}
	return p.bytes[:n:n], nil
}

// make makes the buffer: memory that is mapped twice, so that who is handed its bytes can
// store to them as little as to those of a mapped file.
func (p *copiedPart) make() error {
	fd, err := sys.MemfdCreate("scan", sys.MFD_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("memfd_create", err)
	}
	f := fdmap.New(os.NewFile(uintptr(fd), "scan"), p.scan.file.f.Name())
	defer f.Close()
	size := int64(p.scan.Chunk)
	if err := f.Use(func(o *os.File) error { return o.Truncate(size) }); err != nil {
		return err
	}
	buf, err := f.Map(fdmap.Options{Len: size, Protection: shmkit.Read | shmkit.Write, Populate: true})
	if err != nil {
		return err
	}
	m, err := f.Map(fdmap.Options{Len: size, Protection: shmkit.Read, Populate: true})
	if err != nil {
		_ = buf.Close()
		return err
	}
	p.buf, p.window = buf, window{m: m}
	return nil
}

func (p *copiedPart) leave() error {
	if p.buf == nil {
		return nil
	}
	p.scan.drop(p.dropped, p.from+int64(len(p.bytes)))
	err := p.buf.Close()
	if e := p.m.Close(); err == nil {
		err = e
	}
	p.buf, p.window = nil, window{}
	return err
}
