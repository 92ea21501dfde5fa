package inode

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/internal/sys"
)

// mincoreMost is how many bytes of a file are asked for page by page, where the kernel
// does not tell it at once.
const mincoreMost = 64 << 30

// Resident is how much of the file is in memory.
func (h *Handle) Resident() kind.Value {
	resident, _ := h.cache()
	return resident
}

// cache is how much of the file is in memory, and how much of that is not written back to the
// device yet.
func (h *Handle) cache() (resident, dirty kind.Value) {
	unknown := func(why string) (kind.Value, kind.Value) { return kind.Unknown(why), kind.Unknown(why) }
	const notTold = "only who may write the file, or owns it, is told"
	fd, err := sys.Reopen(int(h.f.Fd()), os.O_RDONLY|syscall.O_NONBLOCK)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return unknown("it may not be read")
	case err != nil:
		return unknown(err.Error())
	}
	defer syscall.Close(fd)
	use, err := sys.CacheStat(fd)
	page := uint64(os.Getpagesize())
	switch {
	case err == nil:
		return kind.Bytes(use.Cached * page), kind.Bytes((use.Dirty + use.Writeback) * page)
	case errors.Is(err, syscall.EPERM):
		return unknown(notTold)
	case !errors.Is(err, syscall.ENOSYS):
		return unknown("the kernel does not tell for such a file")
	case !h.mayWrite():
		return unknown(notTold)
	}
	dirty = kind.Unknown("the kernel tells it since Linux 6.5")
	pages, err := residentPages(fd, h.info.Size())
	if err != nil {
		return kind.Unknown(err.Error()), dirty
	}
	return kind.Bytes(pages * page), dirty
}

// mayWrite reports whether mincore(2) tells the truth.
func (h *Handle) mayWrite() bool {
	const writing = 2 // W_OK
	return stat(h.info).Uid == uint32(os.Geteuid()) || syscall.Access(h.self(), writing) == nil
}

// residentPages asks mincore(2) of a whole file.
func residentPages(fd int, size int64) (n uint64, err error) {
	if size > mincoreMost {
		return 0, errors.New("the file is too long to be asked page by page")
	}
	const window = 1 << 30
	page := int64(os.Getpagesize())
	for off := int64(0); off < size; off += window {
		length := min(window, (size-off+page-1)/page*page)
		addr, err := sys.Mmap(0, uint64(length), sys.PROT_READ, sys.MAP_SHARED, fd, off)
		if err != nil {
			return 0, err
		}
		vec := make([]byte, length/page)
		err = sys.Mincore(addr, uint64(length), vec)
		if e := sys.Munmap(addr, int(length)); err == nil {
			err = e
		}
		if err != nil {
			return 0, err
		}
		for _, v := range vec {
			n += uint64(v & 1)
		}
	}
	return n, nil
}
