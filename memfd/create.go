package memfd

import (
	"fmt"
	"io/fs"
	"math"
	"math/bits"
	"os"
	"syscall"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/fdmap"
	"github.com/shmkit/shmkit/internal/sys"
)

// Options is how CreateWith makes memory. The zero value is what Create does with no
// seals named.
type Options struct {
	// Seals are put on at the end; 0 is DefaultSeals, NoSeals none. More can be added
	// later unless SealSeal is among them. (SealExec is on in any case; see there.)
	Seals Seals
	// Mode has nine permission bits, which say who may open the memory anew who can reach
	// a descriptor of it in /proc. 0 is 0600, and 0700 if Executable. The umask does not
	// count.
	Mode fs.FileMode
	// Executable memory can be run as a program by execve(2). Mapping code (MapOptions.Exec)
	// does not need it.
	Executable bool
	// HugePages makes it of huge pages; the size is rounded up to whole ones.
	HugePages bool
	// HugePageSize is their size in bytes, a power of two that the machine has (2 MiB and
	// 1 GiB on amd64); 0 is the machine's default. Without HugePages it is EINVAL.
	HugePageSize int64
	// NoReserve leaves the memory to be found page by page when it is first touched, so
	// that creating takes no time and what is never touched takes no memory. Then a touch
	// can fault: huge pages may have run out.
	NoReserve bool
	// Init writes the first content, before the seals are put on and before anybody else
	// can see it. The mapping is closed when it returns; an error ends the creation.
	Init func(m *shmkit.Mapping) error
}

// longestName is what memfd_create(2) allows, in bytes.
const longestName = 249

// Create makes size bytes of zeros, at least 0, sealed with seals; 0 is DefaultSeals,
// NoSeals none. name is for people, who see it in /proc, has at most 249 bytes, and need
// not be unique. All memory is reserved at once: what was created never faults for
// lack of it.
//
// Errors are those of memfd_create(2), ftruncate(2), fallocate(2) and fcntl(2): EINVAL
// for a name or size, EFBIG, ENOSPC or ENOMEM when there is not that much memory, EMFILE
// and ENFILE.
func Create(name string, size int64, seals Seals) (*File, error) {
	return CreateWith(name, size, &Options{Seals: seals})
}

// CreateWith is Create with options; nil means none. Besides the errors of Create there
// are ENOSPC and ENOMEM if too few huge pages are free, ENODEV or EINVAL if there are
// none of that size, and EACCES for Executable where vm.memfd_noexec forbids it.
func CreateWith(name string, size int64, o *Options) (*File, error) {
	if o == nil {
		o = &Options{}
	}
	fd, err := o.create(name)
	if err == nil && size < 0 {
		_ = syscall.Close(fd)
		err = syscall.EINVAL
	}
	if err != nil {
		return nil, &Error{Op: "create", Object: fmt.Sprintf("memfd %q", name), Err: err, Hint: o.hint(err, name, size)}
	}
	f, err := newFile(os.NewFile(uintptr(fd), name), name)
	if err != nil {
		return nil, &Error{Op: "create", Object: fmt.Sprintf("memfd %q", name), Err: errnoOf(err)}
	}
	made := false
	defer func() {
		if !made { // Init may have panicked
			_ = f.Close()
		}
	}()
	if err := o.fill(f, size); err != nil {
		return nil, err
	}
	made = true
	return f, nil
}

// create calls memfd_create.
func (o *Options) create(name string) (int, error) {
	flags := sys.MFD_CLOEXEC | sys.MFD_ALLOW_SEALING
	if o.HugePageSize != 0 && !o.HugePages {
		return -1, syscall.EINVAL
	}
	if o.HugePages {
		flags |= sys.MFD_HUGETLB
		if o.HugePageSize != 0 {
			if o.HugePageSize < 2 || bits.OnesCount64(uint64(o.HugePageSize)) != 1 {
				return -1, syscall.EINVAL
			}
			flags |= bits.TrailingZeros64(uint64(o.HugePageSize)) << sys.MFD_HUGE_SHIFT
		}
	}
	if o.Mode&^0o777 != 0 || !o.Executable && o.Mode&0o111 != 0 {
		return -1, syscall.EINVAL
	}
	exec := sys.MFD_NOEXEC_SEAL
	if o.Executable {
		exec = sys.MFD_EXEC
	}
	fd, err := sys.MemfdCreate(name, flags|exec)
	if err == syscall.EINVAL { // as from a kernel before 6.3, where the mode says it all
		fd, err = sys.MemfdCreate(name, flags)
	}
	return fd, err
}

// fill gives new memory mode, size, content and seals.
func (o *Options) fill(f *File, size int64) error {
	mode := o.Mode
	switch {
	case mode != 0:
	case o.Executable:
		mode = 0o700
	default:
		mode = 0o600
	}
	if size > math.MaxInt64-int64(f.pageSize) {
		return f.fail("size", syscall.EFBIG, fmt.Sprintf("no memory has %d bytes", size))
	}
	if page := int64(f.pageSize); o.HugePages {
		size = (size + page - 1) / page * page
	}
	err := f.use(func(file *os.File) error { return file.Chmod(mode) })
	if err != nil {
		return f.fail("set mode of", err, "")
	}
	if err := f.Truncate(size); err != nil {
		return err
	}
	if !o.NoReserve && size > 0 {
		if err := f.Reserve(0, size); err != nil {
			return err
		}
	}
	if o.Init != nil {
		if err := o.init(f); err != nil {
			return err
		}
	}
	if seals := o.Seals.or(DefaultSeals); seals != 0 {
		return f.AddSeals(seals)
	}
	return nil
}

// init maps the memory for Init.
func (o *Options) init(f *File) error {
	m, err := f.Map(nil)
	if err != nil {
		return err
	}
	if err := fdmap.Init(m, o.Init); err != nil {
		return &Error{Op: "initialise", Object: f.String(), Err: err}
	}
	return nil
}

// hint explains why memory could not be made.
func (o *Options) hint(err error, name string, size int64) string {
	switch err {
	case syscall.EINVAL:
		switch {
		case len(name) > longestName:
			return fmt.Sprintf("the name has %d bytes, more than %d", len(name), longestName)
		case size < 0:
			return fmt.Sprintf("size %d is negative", size)
		case o.Mode&^0o777 != 0:
			return fmt.Sprintf("mode %v has more than the nine permission bits", o.Mode)
		case !o.Executable && o.Mode&0o111 != 0:
			return fmt.Sprintf("mode %04o lets execute what is not Executable", uint32(o.Mode))
		case o.HugePageSize != 0 && !o.HugePages:
			return "HugePageSize says how large the pages are that HugePages asks for"
		case o.HugePages && o.HugePageSize != 0 && (o.HugePageSize < 2 || bits.OnesCount64(uint64(o.HugePageSize)) != 1):
			return fmt.Sprintf("huge page size %d is no power of two above 1", o.HugePageSize)
		case o.HugePages:
			return "this machine has no huge pages of that size; /sys/kernel/mm/hugepages lists them"
		default:
			return "the name holds a zero byte"
		}
	case syscall.ENODEV, syscall.ENOENT:
		return "this machine has no huge pages of that size; /sys/kernel/mm/hugepages lists them"
	case syscall.EACCES:
		return "the sysctl vm.memfd_noexec is 2: no memory may be executable"
	case syscall.EMFILE:
		return "the process has as many descriptors open as it may (ulimit -n)"
	case syscall.ENOSYS:
		return "this kernel has no memfd, or a seccomp filter forbids it"
	}
	return ""
}
