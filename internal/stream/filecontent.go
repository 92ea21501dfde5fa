package stream

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"syscall"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/fdmap"
	"github.com/shmkit/shmkit/internal/sys"
)

// openUnnamed makes a file in the directory of path that has no name.
func openUnnamed(path string, mode fs.FileMode) (*os.File, error) {
	dir := filepath.Dir(path)
	fd, err := sys.OpenTmpfile(dir, 0o600)
	if errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.EISDIR) {
		return nil, fmt.Errorf("%s is on a file system that has no files without a name: %w; choose another directory", dir, syscall.EOPNOTSUPP)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "create a file in", Path: dir, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	if err := f.Chmod(mode.Perm()); err != nil { // what was asked for, whatever the umask
		return nil, several(err, f.Close())
	}
	return f, nil
}

// supported refuses file systems whose locks are not known to be there for everybody
// who has the file, and to go with a description.
func (g *fileGround) supported() error {
	kind, _, _, err := sys.FileSystem(g.fd())
	if err != nil {
		return g.failed(err)
	}
	switch uint32(kind) {
	case sys.TMPFS_MAGIC, sys.EXT4_MAGIC, sys.XFS_MAGIC, sys.BTRFS_MAGIC, sys.OVERLAYFS_MAGIC:
		return nil
	}
	return g.failed(fmt.Errorf("the file system of %s (%#x) is none of tmpfs, ext4, xfs, btrfs and overlay, whose locks a stream can rely on: %w", g.path, uint32(kind), errors.ErrUnsupported))
}

// stillNamed is errAgain if the path is not that of this file any more.
func (g *fileGround) stillNamed() error {
	if g.pinned || g.fresh {
		return nil
	}
	mine, err := g.f.Stat()
	if err != nil {
		return g.failed(err)
	}
	switch there, err := os.Lstat(g.path); {
	case errors.Is(err, fs.ErrNotExist):
		return errAgain
	case err != nil:
		return g.failed(err)
	case !os.SameFile(mine, there):
		return errAgain
	}
	return nil
}

// memory maps the file. It begins as a stream with magic: whoever is killed from then
// on leaves what the next one cleans up.
func (g *fileGround) memory(ctx context.Context, _ Options, occupied bool) (store, error) {
	what := blank
	if !g.fresh {
		if err := g.stillNamed(); err != nil {
			return store{}, err
		}
		var err error
		if what, err = g.identify(); err != nil {
			return store{}, err
		}
	}
	switch {
	case what == foreign:
		return store{}, g.foreign()
	case what == blank && occupied:
		return store{}, g.alien("in use by something else: somebody holds its locks, and it holds no stream")
	case what == ours && !occupied && !g.pinned:
		point("stale:found")
		if removed, err := g.unlink(); removed || err != nil {
			return store{}, cmp.Or(err, errAgain)
		}
	}
	if !occupied {
		if err := g.reserve(ctx); err != nil {
			return store{}, err
		}
	}
	mem, err := mapFile(g.fd(), g.size, g.name)
	if err != nil {
		return store{}, g.failed(err)
	}
	f := store{mapping: mem, size: g.size, made: !occupied, magic: fileMagic}
	g.mine = true
	if f.made {
		err = g.begin(mem)
	}
	return f, err
}

// begin makes a stream without members of what is in mem.
func (g *fileGround) begin(mem *shmkit.Mapping) error {
	if err := mem.Store64(0, fileMagic); err != nil {
		return g.explain(err)
	}
	point("begin:magic")
	if _, err := mem.WriteAt(make([]byte, ringOffset-8), 8); err != nil {
		return g.explain(err)
	}
	point("begin:wiped")
	return nil
}

// identify looks at what the file holds, and remembers its size.
func (g *fileGround) identify() (identity, error) {
	info, err := g.f.Stat()
	if err != nil {
		return foreign, g.failed(err)
	}
	g.size = info.Size()
	what, err := g.glance()
	if err != nil || what != blank {
		return what, err
	}
	if g.strict {
		return foreign, nil
	}
	zero, err := allZero(g.f)
	if err != nil {
		return foreign, g.failed(err)
	}
	if zero {
		return blank, nil
	}
	return foreign, nil
}

// glance is identify by size and magic, which need no lock: a file that may be a
// stream's always has magic or zero there. Anything else is not even locked.
func (g *fileGround) glance() (identity, error) {
	if g.size < ringOffset+MinCapacity {
		return foreign, nil
	}
	var first [8]byte
	if _, err := g.f.ReadAt(first[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return foreign, g.failed(err)
	}
	switch binary.NativeEndian.Uint64(first[:]) {
	case fileMagic:
		return ours, nil
	case 0:
		return blank, nil
	}
	return foreign, nil
}

// allZero reads a file to its end, but for its holes.
func allZero(f *os.File) (bool, error) {
	const seekData = 3 // SEEK_DATA
	buf, none := make([]byte, 256<<10), make([]byte, 256<<10)
	for at := int64(0); ; {
		switch next, err := f.Seek(at, seekData); {
		case errors.Is(err, syscall.ENXIO): // no more data
			return true, nil
		case err == nil:
			at = next
		}
		n, err := f.ReadAt(buf, at)
		if !bytes.Equal(buf[:n], none[:n]) {
			return false, nil
		}
		at += int64(n)
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
}

// reserve makes sure that there is space for all of the file: that there is none is
// an error now and not a fault later.
func (g *fileGround) reserve(ctx context.Context) error {
	space, err := sys.SpaceOf(g.fd())
	if err != nil {
		return g.failed(err)
	}
	info, err := g.f.Stat()
	if err != nil {
		return g.failed(err)
	}
	// What cannot be had is not tried: it would take from all others what there is.
	if space.Lacks(g.size - info.Sys().(*syscall.Stat_t).Blocks*512) {
		return g.noSpace(int64(min(space.Free, math.MaxInt64)))
	}
	switch at, err := fdmap.Reserve(ctx, g.fd(), 0, 0, g.size, int64(os.Getpagesize())); {
	case errors.Is(err, syscall.ENOSPC):
		return g.noSpace(at)
	case err != nil && ctx.Err() == nil:
		return g.failed(fmt.Errorf("reserve %d bytes: %w", g.size, err))
	default:
		return err
	}
}

func (g *fileGround) noSpace(free int64) error {
	return g.failed(fmt.Errorf("reserve %d bytes: %w: its file system has %d", g.size, syscall.ENOSPC, free))
}

// remove removes the name, under lock; there are no members. What has none, or whose
// name this user may not remove, is made all zero again.
func (g *fileGround) remove() error {
	if !g.pinned {
		switch err := g.stillNamed(); {
		case errors.Is(err, errAgain): // removed by hand, and goes with its last user
			return nil
		case err != nil:
			return err
		}
		if removed, err := g.unlink(); removed || err != nil {
			point("leave:unlinked")
			return err
		}
	}
	return g.blank()
}

// unlink removes the name, and reports false if this user may not.
func (g *fileGround) unlink() (bool, error) {
	switch err := syscall.Unlink(g.path); {
	case err == nil, errors.Is(err, fs.ErrNotExist):
		return true, nil
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return false, nil
	default:
		return false, g.failed(&fs.PathError{Op: "remove", Path: g.path, Err: err})
	}
}

// blank makes everything zero, magic last: until then it is a stream of the dead, which
// whoever may removes. Who may not leaves it as that.
func (g *fileGround) blank() error {
	info, err := g.f.Stat()
	if err != nil {
		return g.failed(err)
	}
	if info.Size() < ringOffset+MinCapacity { // made shorter, and no stream any more
		return nil
	}
	err = punch(g.fd(), 8, info.Size()-8)
	point("blank:wiped")
	if err == nil && !g.strict { // where zeros are somebody else's it stays a stream of the dead
		_, err = g.f.WriteAt(make([]byte, 8), 0)
	}
	point("blank:done")
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		return g.failed(err)
	}
	return nil
}

// punch makes n bytes zero, and gives their memory back.
func punch(fd int, off, n int64) error {
	for {
		err := sys.Fallocate(fd, sys.FALLOC_FL_PUNCH_HOLE|sys.FALLOC_FL_KEEP_SIZE, off, n)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// foreign is the error for a file that holds something else.
func (g *fileGround) foreign() error {
	instead := "choose another name, or remove it if it is not needed"
	if g.pinned {
		instead = "a stream needs memory that is all zero, such as shmkit memfd run --size 1M makes"
	}
	if g.size < ringOffset+MinCapacity {
		return g.alien("no stream, which has at least %d bytes: it has %d; %s", ringOffset+MinCapacity, g.size, instead)
	}
	return g.alien("a file of %d bytes that holds something else; %s", g.size, instead)
}
