package fdmap

import (
	"errors"
	"io"
	"os"

	"github.com/shmkit/shmkit"
)

// ReadAt reads all of p, which is there at off in the file. What cannot be read is a
// *shmkit.FaultError, as if it had been looked at in a mapping.
func (f *File) ReadAt(p []byte, off int64) error {
	return f.Use(func(o *os.File) error {
		n, err := o.ReadAt(p, off)
		if n == len(p) {
			return nil
		}
		at := off + int64(n)
		cause := err
		var failed *os.PathError
		if errors.Is(err, io.EOF) {
			cause = truncated(at, at)
		} else if errors.As(err, &failed) {
			cause = unreadable(at, failed.Err)
		}
		return &shmkit.FaultError{Mapping: f.name, Off: at, Access: shmkit.Read, Err: cause}
	})
}
