package proc

import (
	"bytes"
	"cmp"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/shmkit/shmkit/internal/sys"
)

// Default is where the kernel shows itself.
const Default = "/proc"

// PIDs returns the numbers of the processes below a root, in order.
func PIDs(root string) ([]int, error) {
	f, err := os.Open(cmp.Or(root, Default))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []int
	for pid, err := range sys.Numbers(int(f.Fd()), make([]byte, 32<<10)) {
		if err != nil {
			return nil, &os.PathError{Op: "read", Path: root, Err: err}
		}
		if pid > 0 {
			all = append(all, pid)
		}
	}
	slices.Sort(all)
	return all, nil
}

// A Process is a process's directory, held: what is read through it is of this process, and once that is gone
// ENOENT or ESRCH.
type Process struct {
	PID int
	dir sys.Dir
	b   *Buffer
}

// Open holds the directory of a process. What is read goes through the buffer.
func Open(root string, pid int, b *Buffer) (Process, error) {
	dir, err := sys.OpenDir(cmp.Or(root, Default) + "/" + strconv.Itoa(pid))
	return Process{pid, dir, b}, err
}

// Close lets it go.
func (p Process) Close() { p.dir.Close() }

// Gone reports whether an error is that of a process that has ended meanwhile.
func Gone(err error) bool { return err == syscall.ENOENT || err == syscall.ESRCH }

// Refused reports whether an error is that this user may not look.
func Refused(err error) bool { return err == syscall.EACCES || err == syscall.EPERM }

// Names of what is in the directory of a process.
var (
	commName    = sys.NameOf("comm")
	cmdlineName = sys.NameOf("cmdline")
	statusName  = sys.NameOf("status")
	statName    = sys.NameOf("stat")
	mapsName    = sys.NameOf("maps")
	smapsName   = sys.NameOf("smaps")
	rollupName  = sys.NameOf("smaps_rollup")
	fdName      = sys.NameOf("fd")
	taskName    = sys.NameOf("task")
	ipcName     = sys.NameOf("ns/ipc")
	pidNSName   = sys.NameOf("ns/pid")
	mountNSName = sys.NameOf("ns/mnt")
	mountsName  = sys.NameOf("mountinfo")
)

// Comm returns the name of the process's main thread: at most 15 bytes, of any value.
func (p Process) Comm() (string, error) {
	text, err := p.b.file(p.dir, commName)
	return string(bytes.TrimSuffix(text, newline)), err
}

// Cmdline returns the arguments as the process has them in its memory, which it may have changed. None: a kernel
// thread, or one that has ended.
func (p Process) Cmdline() ([]string, error) {
	text, err := p.b.file(p.dir, cmdlineName)
	return ParseCmdline(text), err
}

// ParseCmdline parses what stands in cmdline.
func ParseCmdline(text []byte) []string {
	text = bytes.TrimRight(text, "\x00")
	if len(text) == 0 {
		return nil
	}
	return strings.Split(string(text), "\x00")
}

// Namespace returns the inode number of the process's IPC namespace. It may not be that of all it has attached.
func (p Process) IPCNamespace() (uint64, error) { return p.namespace(ipcName) }

// PIDNamespace returns the inode number of the process's PID namespace.
func (p Process) PIDNamespace() (uint64, error) { return p.namespace(pidNSName) }

// MountNamespace returns the inode number of the process's mount namespace.
func (p Process) MountNamespace() (uint64, error) { return p.namespace(mountNSName) }

// Mounts returns what the process has mounted.
func (p Process) Mounts() (all []Mount, err error) { return mounts(p.b, p.dir, mountsName) }

func (p Process) namespace(n sys.Name) (uint64, error) {
	link, err := p.dir.Readlink(n, p.b.link)
	if err != nil {
		return 0, err
	}
	return ParseNamespace(link)
}

// ParseNamespace parses "ipc:[4026531839]".
func ParseNamespace(link []byte) (uint64, error) {
	_, rest, _ := bytes.Cut(link, []byte(":["))
	digits, ok := bytes.CutSuffix(rest, []byte("]"))
	n, good := number(digits)
	if !ok || !good {
		return 0, unexpected("namespace", link)
	}
	return n, nil
}

// Threads returns the numbers of the threads.
func (p Process) Threads() ([]int, error) { return p.numbers(taskName) }

func (p Process) numbers(n sys.Name) ([]int, error) {
	fd, err := p.dir.Open(n, syscall.O_RDONLY|syscall.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	defer syscall.Close(fd)
	var all []int
	for number, err := range sys.Numbers(fd, p.b.dir) {
		if err != nil {
			return all, err
		}
		all = append(all, number)
	}
	return all, nil
}

// Thread returns a thread as a process: it has maps and fd even if the main thread has ended.
func (p Process) Thread(tid int) (Process, error) {
	p.b.name.Number("task/", tid)
	fd, err := p.dir.Open(p.b.name, sys.O_PATH|syscall.O_DIRECTORY)
	return Process{p.PID, sys.Dir(fd), p.b}, err
}

// Descriptors calls f with the number and the target of each of the process's descriptors, as they come, until it
// returns false. The target lies in the buffer until the next call of f or of p.
func (p Process) Descriptors(f func(fd int, target []byte) bool) error {
	dir, err := p.dir.Open(fdName, syscall.O_RDONLY|syscall.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer syscall.Close(dir)
	for fd, err := range sys.Numbers(dir, p.b.dir) {
		if err != nil {
			return err
		}
		p.b.name.Number("", fd)
		target, err := sys.Dir(dir).Readlink(p.b.name, p.b.link)
		if err == nil && !f(fd, target) {
			return nil
		}
	}
	return nil
}

// Descriptor tells of the file of a descriptor, as stat(2), without opening it.
func (p Process) Descriptor(fd int) (st syscall.Stat_t, err error) {
	p.b.name.Number("fd/", fd)
	err = p.dir.Stat(p.b.name, false, &st)
	return st, err
}

// Owner returns the user that the directory belongs to: the effective one of the process, or root if the process
// may not be traced. Status tells for sure, and takes longer.
func (p Process) Owner() uint32 {
	var st syscall.Stat_t
	if err := syscall.Fstat(int(p.dir), &st); err != nil {
		return 0
	}
	return st.Uid
}
