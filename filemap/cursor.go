package filemap

import (
	"fmt"
	"io"
	"syscall"

	"github.com/shmkit/shmkit"
)

// The io interfaces that a Cursor has.
var (
	_ io.ReadWriteSeeker = (*Cursor)(nil)
	_ io.ReaderAt        = (*Cursor)(nil)
	_ io.WriterAt        = (*Cursor)(nil)
	_ io.ReaderFrom      = (*Cursor)(nil)
	_ io.WriterTo        = (*Cursor)(nil)
)

// Cursor reads and writes the main mapping of a File from a position of its own, for code
// that wants a stream. It makes no system call, and turns a fault into an error. It is for
// one goroutine at a time; a File can have any number of them.
type Cursor struct {
	f   *File
	pos int64
}

// NewCursor returns a Cursor at the beginning of the main mapping. There is nothing to
// close.
func (f *File) NewCursor() *Cursor { return &Cursor{f: f} }

// Read implements io.Reader: io.EOF is the end of the mapping, which may grow later.
func (c *Cursor) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := c.f.ReadAt(p, c.pos)
	c.pos += int64(n)
	if n > 0 && err == io.EOF {
		err = nil
	}
	return n, err
}

// Write implements io.Writer. The mapping does not grow: at its end what fits is written,
// and the error is shmkit.ErrOutOfRange.
func (c *Cursor) Write(p []byte) (int, error) {
	fits := min(int64(len(p)), max(int64(c.f.Len())-c.pos, 0))
	if fits > 0 {
		n, err := c.f.WriteAt(p[:fits], c.pos)
		c.pos += int64(n)
		if err != nil {
			return n, err
		}
	}
	if rest := len(p) - int(fits); rest > 0 {
		return int(fits), &shmkit.AccessError{Op: "write", Mapping: c.f.Name(), Off: c.pos, Len: int64(rest),
			Size: int64(c.f.Len()), Err: shmkit.ErrOutOfRange}
	}
	return len(p), nil
}

// Seek implements io.Seeker. The position may lie behind the end, where there is nothing
// to read and no room to write.
func (c *Cursor) Seek(off int64, whence int) (int64, error) {
	from := int64(0)
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		from = c.pos
	case io.SeekEnd:
		from = int64(c.f.Len())
	default:
		return 0, &Error{Op: "seek", Path: c.f.path, Err: syscall.EINVAL, Hint: fmt.Sprintf("whence %d is none", whence)}
	}
	if to := from + off; off < 0 && to >= 0 || off >= 0 && to >= from {
		c.pos = to
		return to, nil
	}
	return 0, &Error{Op: "seek", Path: c.f.path, Err: syscall.EINVAL, Hint: fmt.Sprintf("%d from %d on is no position", off, from)}
}

// ReadAt implements io.ReaderAt, without regard to the position.
func (c *Cursor) ReadAt(p []byte, off int64) (int, error) { return c.f.ReadAt(p, off) }

// WriteAt implements io.WriterAt, without regard to the position.
func (c *Cursor) WriteAt(p []byte, off int64) (int, error) { return c.f.WriteAt(p, off) }

// ReadFrom implements io.ReaderFrom: it writes all of r, as Write does.
func (c *Cursor) ReadFrom(r io.Reader) (int64, error) {
	return io.CopyBuffer(struct{ io.Writer }{c}, struct{ io.Reader }{r}, c.buffer())
}

// WriteTo implements io.WriterTo: it writes what lies between the position and the end of
// the mapping to w. It goes by a buffer, so that no fault happens in code of w.
func (c *Cursor) WriteTo(w io.Writer) (int64, error) {
	return io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{c}, c.buffer())
}

// buffer returns a buffer that stays in the processor's cache.
func (c *Cursor) buffer() []byte { return make([]byte, 64<<10) }
