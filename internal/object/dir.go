package object

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/shmkit/shmkit/internal/sys"
)

// EnvDir is the environment variable that chooses another directory.
const EnvDir = "SHMKIT_DIR"

// Dir is a directory that objects have their names in.
type Dir struct {
	path string
	// chosen: a person chose it, in code or by EnvDir, and its owner may be another.
	chosen bool
}

// ChooseDir returns the directory at path, the one that EnvDir names if path is empty,
// and the user's own in /dev/shm if that is empty too.
func ChooseDir(path string) Dir {
	if path == "" {
		path = os.Getenv(EnvDir)
	}
	if path == "" {
		return Dir{path: fmt.Sprintf("/dev/shm/shmkit-%d", os.Geteuid())}
	}
	return Dir{path: filepath.Clean(path), chosen: true}
}

// Path returns where the directory is.
func (d Dir) Path() string { return d.path }

// owners are the users whose objects are trusted in a directory.
type owners struct {
	anyone bool
	uids   [3]uint32
}

func (o owners) trust(uid uint32) bool {
	return o.anyone || uid == o.uids[0] || uid == o.uids[1] || uid == o.uids[2]
}

// check looks at the directory, making the user's own with make, and returns whose
// objects in it are trusted: this user's, root's, the directory's owner's; anyone's of a
// group, if the directory is one that its group may write and others may not.
func (d Dir) check(create bool) (owners, error) {
	me := uint32(os.Geteuid())
	info, err := os.Lstat(d.path)
	if errors.Is(err, fs.ErrNotExist) && create && !d.chosen {
		if err := os.Mkdir(d.path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return owners{}, err
		}
		info, err = os.Lstat(d.path)
	}
	if err == nil && d.chosen && info.Mode()&fs.ModeSymlink != 0 {
		info, err = os.Stat(d.path)
	}
	if err != nil && d.chosen {
		return owners{}, fmt.Errorf("its directory %s: %w", d.path, unwrapPath(err))
	}
	if err != nil {
		return owners{}, err
	}
	owner := info.Sys().(*syscall.Stat_t).Uid
	mode := info.Mode()
	switch {
	case !mode.IsDir():
		return owners{}, fmt.Errorf("%w: %s is no directory", ErrForeign, d.path)
	case !d.chosen && owner != me && owner != 0:
		return owners{}, fmt.Errorf("%w: %s belongs to uid %d; remove it or set %s", ErrForeign, d.path, owner, EnvDir)
	case !d.chosen && mode.Perm()&0o022 != 0:
		return owners{}, fmt.Errorf("%w: others may write in %s (mode %04o); chmod 700 it or set %s", ErrForeign, d.path, mode.Perm(), EnvDir)
	case mode.Perm()&0o002 != 0 && mode&fs.ModeSticky == 0:
		return owners{}, fmt.Errorf("%w: everybody may write in %s (mode %04o) and remove what others made", ErrForeign, d.path, mode.Perm())
	}
	return owners{anyone: mode.Perm()&0o022 == 0o020, uids: [3]uint32{me, 0, owner}}, nil
}

// tidy removes the user's own directory when it is empty, so that nothing is left of the
// last object. Whoever makes an object at that moment makes it anew.
func (d Dir) tidy() {
	if !d.chosen {
		_ = os.Remove(d.path)
	}
}

// maxName is the longest file name, in bytes.
const maxName = 255

// FileName returns the name of the file that an object is in: KIND.NAME, where what a
// file name cannot hold, or would hide, is written as %XX.
func FileName(kind Kind, name string) (string, error) {
	if name == "" {
		return "", fmt.Errorf("an object needs a name: %w", fs.ErrInvalid)
	}
	var b strings.Builder
	b.WriteString(kind.String())
	b.WriteByte('.')
	for i := range len(name) {
		if c := name[i]; c == '/' || c == '%' || c < ' ' || c == 0x7f {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	if b.Len() > maxName {
		return "", fmt.Errorf("name of %d bytes: %w", len(name), syscall.ENAMETOOLONG)
	}
	return b.String(), nil
}

// ParseFileName undoes FileName.
func ParseFileName(file string) (kind Kind, name string, ok bool) {
	word, rest, found := strings.Cut(file, ".")
	kind = KindOf(word)
	if !found || kind == 0 || rest == "" {
		return 0, "", false
	}
	var b strings.Builder
	for i := 0; i < len(rest); i++ {
		if rest[i] != '%' {
			b.WriteByte(rest[i])
			continue
		}
		var c byte
		if i+2 >= len(rest) {
			return 0, "", false
		}
		if _, err := fmt.Sscanf(rest[i+1:i+3], "%02X", &c); err != nil {
			return 0, "", false
		}
		b.WriteByte(c)
		i += 2
	}
	back, err := FileName(kind, b.String())
	return kind, b.String(), err == nil && back == file
}

// fileSystems are those whose locks are local and real.
var fileSystems = map[int64]bool{
	sys.TMPFS_MAGIC: true, sys.EXT4_MAGIC: true, sys.XFS_MAGIC: true, sys.BTRFS_MAGIC: true, sys.OVERLAYFS_MAGIC: true,
}

// checkFile refuses files that an object cannot be trusted in.
func checkFile(f *os.File, trusted owners) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	st := info.Sys().(*syscall.Stat_t)
	magic, _, _, err := sys.FileSystem(int(f.Fd()))
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: it is no regular file (%s)", ErrForeign, info.Mode().Type())
	case !trusted.trust(st.Uid):
		return fmt.Errorf("%w: it belongs to uid %d", ErrForeign, st.Uid)
	case st.Nlink > 1:
		return fmt.Errorf("%w: it has %d names (hard links)", ErrForeign, st.Nlink)
	case !fileSystems[magic]:
		return fmt.Errorf("%w: locks are not known to be real on file system %#x; choose a directory on tmpfs, ext4, xfs, btrfs or overlay with %s",
			ErrForeign, magic, EnvDir)
	}
	return nil
}
