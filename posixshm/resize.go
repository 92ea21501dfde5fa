package posixshm

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/shmkit/shmkit/internal/sys"
)

// Resize makes the object n bytes long. What is new is zero and reserved, unless this
// handle made the object Sparse; if there is no room (ENOSPC) the object stays as it
// was. What is cut off is gone: a touch of it, in whatever process has it mapped, is a
// fault (shmkit.ErrTruncated).
//
// Mappings keep their length; see Mapping.Resize. Processes that resize one object at
// the same time should agree on a lock: of two that grow it the longer size wins, but
// what one cuts off while another grows may be left unreserved.
//
// Errors: EINVAL for a negative size, ENOSPC, EFBIG; EACCES when the handle is
// read-only.
func (o *Object) Resize(n int64) error {
	return o.change("resize", func(f *os.File) error {
		info, err := f.Stat()
		if err != nil {
			return err
		}
		old := info.Size()
		switch {
		case n < 0:
			return o.fail("resize", syscall.EINVAL, fmt.Sprintf("size %d is negative", n))
		case n < old || n > old && o.sparse:
			err = truncate(f, n)
		case n > old:
			err = grow(f, old, n)
		}
		if err != nil {
			return o.fail("resize", err, roomHint(err, f, o.place, n-old))
		}
		return nil
	})
}

// grow reserves first and changes the size when that has worked.
func grow(f *os.File, old, n int64) error {
	err := reserve(f, sys.FALLOC_FL_KEEP_SIZE, old, n)
	if err == nil {
		// Unlike ftruncate this cannot undo what somebody else has grown it to.
		err = reserve(f, 0, n-1, n)
	}
	if err != nil {
		if info, e := f.Stat(); e == nil && info.Size() == old {
			// To the size it has: gives back what lies behind.
			_ = truncate(f, old)
		}
	}
	return err
}

// Reserve sets memory aside for the whole object, as Create does: for one that is
// Sparse, or that was made by a program which does not. After it no touch faults for
// want of space, if nobody makes holes into the object.
//
// Errors: ENOSPC; EACCES when the handle is read-only.
func (o *Object) Reserve() error {
	return o.change("reserve", func(f *os.File) error {
		info, err := f.Stat()
		if err != nil {
			return err
		}
		if err := reserve(f, sys.FALLOC_FL_KEEP_SIZE, 0, info.Size()); err != nil {
			return o.fail("reserve", err, roomHint(err, f, o.place, info.Size()-allocated(info)))
		}
		return nil
	})
}

// change is use of a handle that must not be read-only.
func (o *Object) change(op string, do func(*os.File) error) error {
	return o.use(op, func(f *os.File) error {
		if !o.writable {
			return o.fail(op, syscall.EACCES, "it was opened read-only")
		}
		return do(f)
	})
}

// WaitSize waits until the object has at least n bytes, for objects that somebody
// makes in C and gives a size in a second step. n is at least 1. It looks every 10 ms
// at most. It fails with the context's error, also when the maker was killed between
// his steps, which nobody can tell from a slow one.
func (o *Object) WaitSize(ctx context.Context, n int64) error {
	for pause := 50 * time.Microsecond; ; pause = min(2*pause, 10*time.Millisecond) {
		size, err := o.Size()
		if err != nil || size >= max(n, 1) {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return o.fail("wait for", ctx.Err(), fmt.Sprintf("it has %d of %d bytes", size, n))
		case <-timer.C:
		}
	}
}
