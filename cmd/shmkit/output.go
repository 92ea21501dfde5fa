package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/shmkit/shmkit/internal/sys"
)

// output is the standard output. It remembers a failure, so that none is missed,
// and does not block when the program is asked to end.
type output struct {
	ctx context.Context
	w   io.Writer
	err error // the first failure; nothing is written after it
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	n, err := interruptible(o.ctx, func() (int, error) { return o.w.Write(p) })
	if err != nil {
		o.err = &outputError{err}
	}
	return n, o.err
}

// outputError is a failure to write to standard output.
type outputError struct{ err error }

func (e *outputError) Error() string {
	switch {
	case errors.Is(e.err, syscall.EPIPE):
		return "standard output was closed"
	case errors.Is(e.err, context.Canceled):
		return e.err.Error()
	}
	return fmt.Sprintf("standard output: %v", bareError(e.err))
}

func (e *outputError) Unwrap() error { return e.err }

// standIn reports whether a stream may be what the Go runtime opens in place of a
// standard stream that was closed: /dev/null, for reading and writing, where who
// wants to discard something opens it for writing only.
func standIn(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	st, err := f.Stat()
	if err != nil || st.Mode()&fs.ModeCharDevice == 0 {
		return false
	}
	device, ok := st.Sys().(*syscall.Stat_t)
	mode, err := sys.AccessMode(int(f.Fd()))
	return ok && device.Rdev == nullDevice && err == nil && mode == os.O_RDWR
}

// nullDevice is the number of /dev/null: major 1, minor 3.
const nullDevice = 1<<8 | 3

// errLost: what a command is about to take and print would be lost.
var errLost = errors.New("standard output was closed, or is /dev/null open for reading as well; to discard output, open that for writing only")

// canPrint is asked by commands that are there to print something, before they
// take it from where it is.
func (a *app) canPrint() error {
	if a.lost {
		return errLost
	}
	return nil
}

// bareError is err without the name of the file: "/dev/stdout" tells nobody
// anything.
func bareError(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

// input is the standard input, which does not block when the program is asked to
// end.
type input struct {
	ctx context.Context
	r   io.Reader
}

// Read implements io.Reader.
func (i *input) Read(p []byte) (int, error) {
	n, err := interruptible(i.ctx, func() (int, error) { return i.r.Read(p) })
	if err != nil && !errors.Is(err, io.EOF) && i.ctx.Err() == nil {
		err = fmt.Errorf("standard input: %w", bareError(err))
	}
	return n, err
}

// canRead returns why standard input cannot be read, where that is known before
// anybody is made to wait for it.
func (a *app) canRead() error {
	f, ok := a.in.(*os.File)
	if !ok {
		return nil
	}
	if st, err := f.Stat(); err == nil && st.IsDir() {
		return fmt.Errorf("standard input: %w", syscall.EISDIR)
	}
	if mode, err := sys.AccessMode(int(f.Fd())); err == nil && mode == os.O_WRONLY {
		return errors.New("standard input is open for writing only")
	}
	return nil
}

// openFile opens a file that the user named. Opening a named pipe waits for its
// other end, and writing to it for who reads.
func openFile(ctx context.Context, name string, flag int) (*namedFile, error) {
	f, err := interruptible(ctx, func() (*os.File, error) { return os.OpenFile(name, flag, 0) })
	if err != nil {
		return nil, err
	}
	return &namedFile{f, ctx}, nil
}

// namedFile is a file that does not block when the program is asked to end.
type namedFile struct {
	*os.File
	ctx context.Context
}

// Read implements io.Reader.
func (f *namedFile) Read(p []byte) (int, error) {
	return interruptible(f.ctx, func() (int, error) { return f.File.Read(p) })
}

// Write implements io.Writer.
func (f *namedFile) Write(p []byte) (int, error) {
	return interruptible(f.ctx, func() (int, error) { return f.File.Write(p) })
}

// interruptible runs f, which may block in the kernel for ever, and returns when
// it does or ctx ends. In the latter case f goes on alone: what it uses must not
// be used again, and the program is about to end.
func interruptible[T any](ctx context.Context, f func() (T, error)) (T, error) {
	var none T
	if ctx.Done() == nil {
		return f()
	}
	if err := ctx.Err(); err != nil {
		return none, err
	}
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		v, err := f()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}
