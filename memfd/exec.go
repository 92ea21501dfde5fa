package memfd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/shmkit/shmkit/internal/sys"
)

// PassExec is Pass for the program that this process becomes by execve(2): it makes the
// descriptor stay open then, and returns its number and env with Variable set. What
// Variable in env says of memory that this process inherited itself stays, as long as
// it was not taken. The descriptor goes to every program started from now on: call it
// right before syscall.Exec, with f open.
//
// Errors: fs.ErrExist: something is passed under that name already, or f under another.
// shmkit.ErrClosed.
func PassExec(env []string, name string, f *File) (fd int, with []string, err error) {
	err = f.use(func(file *os.File) error {
		info, err := file.Stat()
		if err != nil {
			return err
		}
		others := slices.DeleteFunc(passedIn(env), func(i inherited) bool { return !i.here() })
		if slices.ContainsFunc(others, func(i inherited) bool { return i.name == name }) {
			return fmt.Errorf("the name %q: %w", name, fs.ErrExist)
		}
		if slices.ContainsFunc(others, func(i inherited) bool { return i.fd == f.fd }) {
			// Two Files of one number there would each close it, and the other then be whatever
			// gets the number next.
			return fmt.Errorf("it is passed under another name already: %w", fs.ErrExist)
		}
		if f.fd < firstExtra {
			return errors.New("its descriptor is that of a standard stream")
		}
		if err := sys.KeepOnExec(f.fd); err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		i := inherited{name: name, fd: f.fd, device: uint64(st.Dev), inode: st.Ino}
		with = slices.DeleteFunc(slices.Clone(env), func(kv string) bool { return strings.HasPrefix(kv, Variable+"=") })
		with = append(with, Variable+"="+formatVariable(append(others, i)))
		fd = f.fd
		return nil
	})
	if err != nil {
		return 0, nil, f.fail("pass", err, "")
	}
	return fd, with, nil
}
