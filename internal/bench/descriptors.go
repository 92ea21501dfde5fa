package bench

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// A wire is an end that writes messages to one descriptor and reads them from another, or the same, with read(2)
// and write(2) themselves: the thread sleeps in them, which is faster than Go's poller.
type wire struct {
	r       *room
	in, out int
	files   []*os.File
	buf     []byte
	bytes   int64 // reserved
	// whole: a message comes with one call, or not at all.
	whole bool
}

// openWire opens one on the descriptors that were inherited: one for both directions, or the way there and the way back.
func openWire(r *room, whole bool, reserved func(fd int) int64) (end, error) {
	w := &wire{r: r, files: r.files, buf: make([]byte, r.Size), whole: whole}
	w.in, w.out = int(r.files[0].Fd()), int(r.files[len(r.files)-1].Fd())
	for _, f := range r.files {
		fd := int(f.Fd())
		if err := syscall.SetNonblock(fd, r.Wait == Spin); err != nil {
			return nil, err
		}
		w.bytes += reserved(fd)
	}
	return w, nil
}

func (w *wire) send(seq uint64) error {
	w.r.pay.put(w.buf, seq)
	for b := w.buf; len(b) > 0; {
		n, err := syscall.Write(w.out, b)
		switch {
		case again(err):
		case err != nil:
			return os.NewSyscallError("write", err)
		default:
			b = b[n:]
		}
	}
	return nil
}

func (w *wire) receive(seq uint64) error {
	got := 0
	for got < len(w.buf) {
		n, err := syscall.Read(w.in, w.buf[got:])
		switch {
		case again(err):
		case err != nil:
			return os.NewSyscallError("read", err)
		case n == 0:
			return io.ErrUnexpectedEOF
		case w.whole && n != len(w.buf):
			return fmt.Errorf("message %d has %d bytes, not %d", seq, n, len(w.buf))
		default:
			got += n
		}
	}
	return w.r.pay.get(w.buf, seq)
}

// again: nothing has happened, and the call is to be made once more.
func again(err error) bool { return err == syscall.EAGAIN || err == syscall.EINTR }

func (w *wire) memory() int64 { return w.bytes }

func (w *wire) close() error {
	var err error
	for _, f := range w.files {
		err = errors.Join(err, f.Close())
	}
	return err
}
