package fdmap

import (
	"os"
	"sync"
)

// File is an open file of which mappings are made. Its methods may be called by any
// number of goroutines at once.
type File struct {
	name string   // immutable: what errors and mappings call it, "posix:/frames"
	f    *os.File // immutable

	mu     sync.Mutex
	users  int  // mappings, and calls of Use that run; protected by mu
	closed bool // protected by mu
	gone   bool // the descriptor is closed; protected by mu
}

// New takes f over.
func New(f *os.File, name string) *File { return &File{name: name, f: f} }

// Name returns what errors and mappings call the file.
func (f *File) Name() string { return f.name }

// Size returns how long the file is now, in bytes.
func (f *File) Size() (n int64, err error) {
	err = f.Use(func(o *os.File) error {
		info, err := o.Stat()
		if err == nil {
			n = info.Size()
		}
		return err
	})
	return n, err
}

// Use calls do with the open file, which must not be kept. After Close it is
// shmkit.ErrClosed, in the words of a handle.
func (f *File) Use(do func(*os.File) error) (err error) {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return errClosed
	}
	f.users++
	f.mu.Unlock()
	defer func() {
		if e := f.release(); err == nil {
			err = e
		}
	}()
	return do(f.f)
}

// Close ends the use of the file but for the mappings there are; the last of them
// closes the descriptor. A second Close does nothing.
func (f *File) Close() error {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return nil
	}
	f.closed = true
	last := f.users == 0 && !f.gone
	f.gone = f.gone || last
	f.mu.Unlock()
	if last {
		return f.f.Close()
	}
	return nil
}

// CloseNow is Close that closes the descriptor also while there are mappings, which go
// on showing the file: they can no longer be resized, nor say why a page could not be
// had. No call of Use may be running.
func (f *File) CloseNow() error {
	f.mu.Lock()
	f.closed = true
	first := !f.gone
	f.gone = true
	f.mu.Unlock()
	if first {
		return f.f.Close()
	}
	return nil
}

func (f *File) retain() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.users++
}

// tryRetain is retain, unless the descriptor is closed or about to be.
func (f *File) tryRetain() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed && f.users == 0 {
		return false
	}
	f.users++
	return true
}

func (f *File) release() error {
	f.mu.Lock()
	f.users--
	last := f.closed && f.users == 0 && !f.gone
	f.gone = f.gone || last
	f.mu.Unlock()
	if last {
		return f.f.Close()
	}
	return nil
}
