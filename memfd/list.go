package memfd

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/shmkit/shmkit/internal/proc"
	"github.com/shmkit/shmkit/internal/sys"
)

// Info is what the kernel tells of a descriptor of a memfd. Descriptors with the same
// Device and Inode are of the same memory.
type Info struct {
	PID, FD int
	Name    string // as created with

	// Visible: the kernel showed the memory itself. If not, what follows is zero.
	Visible   bool
	Device    uint64
	Inode     uint64
	Size      int64       // bytes
	Allocated int64       // bytes that take memory or swap
	PageSize  int         // bytes
	Mode      fs.FileMode // permission bits
	UID, GID  uint32      // who made it, or who it was given to
	Modified  time.Time   // last written or resized by a system call; stores do not count

	// Seals are those that are on, if SealsVisible: it takes the right to open it.
	Seals        Seals
	SealsVisible bool
}

// Address returns the descriptor as the shmkit command takes it: "memfd:812/5".
func (i Info) Address() string { return address(i.PID, i.FD) }

// fill sets what fstat tells.
func (i *Info) fill(st *syscall.Stat_t) {
	const blockSize = 512 // of st_blocks, on every file system
	i.Visible = true
	i.Device, i.Inode = uint64(st.Dev), st.Ino
	i.Size, i.Allocated = st.Size, st.Blocks*blockSize
	i.PageSize = os.Getpagesize()
	i.Mode = fs.FileMode(st.Mode & 0o777)
	i.UID, i.GID = st.Uid, st.Gid
	i.Modified = time.Unix(st.Mtim.Unix())
}

// Stat returns what the kernel knows of the memory.
func (f *File) Stat() (Info, error) {
	i := Info{PID: os.Getpid(), FD: f.fd, Name: f.name}
	err := f.use(func(*os.File) error { return i.look(f.fd) })
	if err != nil {
		return Info{}, f.fail("stat", err, "")
	}
	return i, nil
}

// look asks a descriptor of this process.
func (i *Info) look(fd int) error {
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil {
		return err
	}
	i.fill(&st)
	if magic, block, _, err := sys.FileSystem(fd); err == nil && magic == sys.HUGETLBFS_MAGIC {
		i.PageSize = int(block)
	}
	if n, err := sys.Seals(fd); err == nil {
		i.Seals, i.SealsVisible = Seals(n), true
	}
	return nil
}

// List lists the descriptors of memfds of all processes that let this one look, by
// process and number, and counts the processes that do not: hidden is 0 only for
// root, at best. Processes and descriptors that go meanwhile are left out. Memory that is
// mapped, and has no descriptor left, is not found.
func List() (all []Info, hidden int, err error) { return ListIn("/proc") }

// ListIn is List for a /proc that is elsewhere: in a container's root, or made for a
// test.
func ListIn(root string) (all []Info, hidden int, err error) {
	pids, err := proc.PIDs(root)
	if err != nil {
		return nil, 0, &Error{Op: "list", Object: "memfds in " + root, Err: errnoOf(err)}
	}
	b := proc.NewBuffer()
	for _, pid := range pids {
		fds, err := named(root, pid, b)
		if proc.Refused(err) {
			hidden++
			continue
		}
		// Any other error is a process that ended, perhaps half-way.
		for _, fd := range fds {
			if i, ok := listed(root, pid, fd); ok {
				all = append(all, i)
			}
		}
	}
	return all, hidden, nil
}

// named returns the descriptors of a process that are called like memfds, in order.
func named(root string, pid int, b *proc.Buffer) (fds []int, err error) {
	p, err := proc.Open(root, pid, b)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	err = p.Descriptors(func(fd int, target []byte) bool {
		if _, ok := linkName(string(target)); ok {
			fds = append(fds, fd)
		}
		return true
	})
	slices.Sort(fds)
	return fds, err
}

// listed looks at one descriptor of a process.
func listed(root string, pid, fd int) (i Info, ok bool) {
	path := descriptorPath(root, pid, fd)
	link, err := os.Readlink(path)
	if err != nil {
		return i, false
	}
	i = Info{PID: pid, FD: fd}
	if i.Name, ok = linkName(link); !ok {
		return i, false
	}
	// The number may have come to mean something else: what is looked at is held, and
	// must still be one.
	held, err := sys.OpenPath(path, false)
	if err != nil {
		// Gone, unless it is only a picture of a descriptor.
		_, err := os.Lstat(path)
		return i, err == nil
	}
	defer syscall.Close(held)
	name, r := identify(held)
	if r != nil {
		return i, false
	}
	i.Name = name
	_ = i.lookHeld(held)
	return i, true
}

// lookHeld is look through an O_PATH descriptor, which does not show the seals.
func (i *Info) lookHeld(held int) error {
	fd, err := sys.Reopen(held, os.O_RDONLY|syscall.O_NONBLOCK)
	if err != nil { // not allowed; the rest is known without
		return i.look(held)
	}
	defer syscall.Close(fd)
	return i.look(fd)
}

func processPath(root string, pid int) string { return filepath.Join(root, strconv.Itoa(pid)) }

func descriptorPath(root string, pid, fd int) string {
	return fmt.Sprintf("%s/%d/fd/%d", root, pid, fd)
}
