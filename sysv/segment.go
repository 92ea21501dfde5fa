package sysv

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"syscall"

	"github.com/shmkit/shmkit/internal/sys"
)

// Segment is a shared memory segment. It holds the identifier only and is safe
// for use by any number of goroutines. The functions of this package make it; the
// zero value is no segment (fs.ErrNotExist).
type Segment struct {
	id  identifier
	key Key
}

// SegmentOptions is how GetSegment gets a segment.
type SegmentOptions struct {
	GetOptions
	// HugePages makes a new segment of huge pages; EPERM without CAP_IPC_LOCK or
	// membership in vm.hugetlb_shm_group, ENOMEM if too few are reserved.
	HugePages bool
	// HugePageSize in bytes, a power of two the machine has; 0 is its default.
	HugePageSize int64
	// NoReserve makes a new segment without reserving swap space for it.
	NoReserve bool
}

// Create makes a segment of size bytes, at least 1, whose key must be free
// (fs.ErrExist) or Private. mode has nine permission bits; the umask does not
// count. The memory is zero, and given page by page when it is first touched;
// its length in the kernel is size rounded up to whole pages.
//
// Errors are those of shmget(2): EINVAL for a size below 1 or above SHMMAX,
// ENOSPC when SHMMNI segments exist or SHMALL pages would be exceeded, ENOMEM.
func Create(key Key, size int64, mode fs.FileMode) (*Segment, error) {
	return GetSegment(key, size, &SegmentOptions{GetOptions: GetOptions{Create: true, Exclusive: true, Mode: mode}})
}

// Open finds the segment with a key; fs.ErrNotExist if there is none. Whether
// the caller may read or write it is seen when attaching.
func Open(key Key) (*Segment, error) {
	if key == Private { // which would make one
		return nil, privateError("segment", "sysv")
	}
	return GetSegment(key, 0, nil)
}

// OpenOrCreate is Open, or Create if the key does not exist. An existing segment
// must have at least size bytes (EINVAL) and grant what mode asks for
// (fs.ErrPermission); it may be longer.
func OpenOrCreate(key Key, size int64, mode fs.FileMode) (*Segment, error) {
	return GetSegment(key, size, &SegmentOptions{GetOptions: GetOptions{Create: true, Mode: mode}})
}

// OpenID finds the segment with an identifier; fs.ErrNotExist if there is none.
// The caller need not be allowed to read it.
func OpenID(id int) (*Segment, error) {
	if !fitsID(id) {
		return nil, noSuchID("segment sysv", id)
	}
	s := &Segment{id: identified(id)}
	var ds sys.ShmidDS
	err := s.look(&ds)
	if err != nil && !errors.Is(err, syscall.EACCES) { // which means that it exists, and that is all we ask
		return nil, s.fail("open", err)
	}
	s.key = Key(ds.Perm.Key)
	return s, nil
}

// GetSegment is shmget(2) with all it can do; nil options open an existing
// segment of at least size bytes. A Private key makes a new segment, with or
// without Create.
func GetSegment(key Key, size int64, o *SegmentOptions) (*Segment, error) {
	if o == nil {
		o = &SegmentOptions{}
	}
	op := verb(key, &o.GetOptions)
	fail := func(err error, hint string) (*Segment, error) {
		return nil, &Error{Op: op, Object: "segment " + address("sysv", key, -1), Err: err, Hint: hint}
	}
	flags, err := o.flags()
	if err != nil {
		return fail(err, "")
	}
	if o.HugePageSize != 0 && !o.HugePages {
		return fail(syscall.EINVAL, "HugePageSize says how large the pages are that HugePages asks for")
	}
	if size < 0 {
		return fail(syscall.EINVAL, fmt.Sprintf("size %d is negative", size))
	}
	if o.HugePages {
		flags |= sys.SHM_HUGETLB
		if o.HugePageSize != 0 {
			shift, ok := log2(o.HugePageSize)
			if !ok || shift == 0 { // 0 would mean the default
				return fail(syscall.EINVAL, fmt.Sprintf("huge page size %d is no power of two above 1", o.HugePageSize))
			}
			flags |= shift << sys.SHM_HUGE_SHIFT
		}
	}
	if o.NoReserve {
		flags |= sys.SHM_NORESERVE
	}
	id, err := sys.Shmget(int32(key), uint64(size), flags)
	if err != nil {
		return fail(err, segmentHint(err, key, size, o))
	}
	return &Segment{id: identified(id), key: key}, nil
}

// log2 returns the exponent of a power of two that fits the six bits shmget has.
func log2(n int64) (int, bool) {
	for i := range 63 {
		if n == 1<<i {
			return i, true
		}
	}
	return 0, false
}

// ID returns the identifier, which other processes can use with OpenID.
func (s *Segment) ID() int { return s.id.num() }

// Key returns the key, Private for a segment without one.
func (s *Segment) Key() Key { return s.key }

// String returns the address of the segment: "sysv:0x5eed" or "sysv:id=3".
func (s *Segment) String() string { return address("sysv", s.key, s.id.num()) }

// Stat returns what the kernel knows of the segment. It needs read permission;
// Segments does not.
func (s *Segment) Stat() (SegmentInfo, error) {
	var ds sys.ShmidDS
	if _, err := sys.ShmStat(s.id.num(), sys.IPC_STAT, &ds); err != nil {
		return SegmentInfo{}, s.fail("stat", err)
	}
	return segmentInfo(s.id.num(), &ds), nil
}

// SetOwner gives the segment to another user and group; -1 leaves one as it is
// (EINVAL for what is no user or group number).
// The creator stays, and may still do what the owner may. EPERM (fs.ErrPermission):
// only owner, creator or CAP_SYS_ADMIN may.
func (s *Segment) SetOwner(uid, gid int) error {
	if err := checkOwner(uid, gid); err != nil {
		return s.fail("set owner of", err)
	}
	return s.set("set owner of", ownerChange(uid, gid))
}

// SetMode sets the nine permission bits. Mappings that exist keep what they
// have. EPERM (fs.ErrPermission): only owner, creator or CAP_SYS_ADMIN may.
func (s *Segment) SetMode(mode fs.FileMode) error {
	if mode&^0o777 != 0 {
		return s.fail("set mode of", &modeError{mode})
	}
	return s.set("set mode of", modeChange(mode))
}

// set changes the permissions. IPC_SET always sets all of them, so that they are
// read first, in a way that needs no read permission.
func (s *Segment) set(op string, change changePerm) error {
	var ds sys.ShmidDS
	if err := s.look(&ds); err != nil {
		return s.fail(op, err)
	}
	change(&ds.Perm)
	if err := sys.ShmSet(s.id.num(), &ds); err != nil {
		if errors.Is(err, syscall.EINVAL) && s.look(&ds) == nil {
			return s.refused(op, unknownOwner)
		}
		return s.fail(op, err)
	}
	return nil
}

// look is Stat that needs no read permission; EACCES from kernels that insist on
// it.
func (s *Segment) look(ds *sys.ShmidDS) error {
	_, err := sys.ShmStat(s.id.num(), sys.IPC_STAT, ds)
	if errors.Is(err, syscall.EACCES) {
		err = statByIndex(s.id.num(), sys.SHM_STAT_ANY, sys.ShmStat, ds)
	}
	return err
}

// Remove marks the segment for removal: the key is free at once, the memory goes
// with the last mapping. Until then it can be attached by identifier. Removing it
// again is no error as long as it exists. EPERM (fs.ErrPermission): only owner,
// creator or CAP_SYS_ADMIN may.
func (s *Segment) Remove() error { return s.control("remove", sys.IPC_RMID) }

// Lock keeps the pages of the segment that are in memory, and those that come,
// from being swapped out. It needs to be owner or creator with enough
// RLIMIT_MEMLOCK (ENOMEM; EPERM if it is 0), or CAP_IPC_LOCK. It brings no page in.
func (s *Segment) Lock() error { return s.control("lock", sys.SHM_LOCK) }

// Unlock takes Lock back. EPERM (fs.ErrPermission) as for Lock.
func (s *Segment) Unlock() error { return s.control("unlock", sys.SHM_UNLOCK) }

func (s *Segment) control(op string, cmd int) error {
	if err := sys.ShmControl(s.id.num(), cmd); err != nil {
		return s.fail(op, err)
	}
	return nil
}

// fail makes the error of an operation on s.
func (s *Segment) fail(op string, err error) error {
	e := &Error{Op: op, Object: "segment " + s.String(), Err: gone(err)}
	switch {
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		if info, ok := findSegment(func(i SegmentInfo) bool { return i.ID == s.id.num() }); ok {
			e.Hint = permHint(err, info.Permission)
			if me := uint32(os.Geteuid()); op == "lock" && (me == info.UID || me == info.CreatorUID) {
				e.Hint = "the limit of locked memory (RLIMIT_MEMLOCK, ulimit -l) is 0"
			}
		}
	case errors.Is(err, syscall.ENOMEM) && op == "lock":
		e.Hint = "the limit of locked memory (RLIMIT_MEMLOCK, ulimit -l) does not allow it"
	}
	return e
}

// refused is the EINVAL of an operation on s that is not about the identifier.
func (s *Segment) refused(op, hint string) error {
	return &Error{Op: op, Object: "segment " + s.String(), Err: syscall.EINVAL, Hint: hint}
}

// segmentHint explains a failed shmget.
func segmentHint(err error, key Key, size int64, o *SegmentOptions) string {
	existing, exists := SegmentInfo{}, false
	if key != Private {
		existing, exists = findSegment(func(i SegmentInfo) bool { return i.Key == key })
	}
	limits, lerr := ReadSegmentLimits()
	switch {
	case errors.Is(err, syscall.EACCES) && exists:
		return permHint(err, existing.Permission)
	case errors.Is(err, syscall.EEXIST) && exists:
		return fmt.Sprintf("it has %d bytes and was made by process %d", existing.Size, existing.CreatorPID)
	case errors.Is(err, syscall.EINVAL) && exists && size > existing.Size:
		return fmt.Sprintf("it exists with %d bytes, %d were asked for", existing.Size, size)
	case errors.Is(err, syscall.EINVAL) && size == 0:
		return "the size must be at least 1 byte"
	case errors.Is(err, syscall.EINVAL) && lerr == nil && uint64(size) > limits.MaxBytes:
		return fmt.Sprintf("size %d is above the limit kernel.shmmax = %d", size, limits.MaxBytes)
	case errors.Is(err, syscall.EINVAL) && o.HugePages:
		return "this machine has no huge pages of that size"
	case errors.Is(err, syscall.ENOSPC) && lerr == nil:
		if limits.Segments >= limits.MaxSegments {
			return fmt.Sprintf("%d segments exist and kernel.shmmni = %d; remove unused ones or raise it", limits.Segments, limits.MaxSegments)
		}
		return fmt.Sprintf("%d of kernel.shmall = %d pages are taken and this needs %d; remove unused segments or raise it",
			limits.Pages, limits.MaxPages, pages(size))
	case errors.Is(err, syscall.ENOMEM) && o.HugePages:
		return "too few huge pages are free; reserve some with vm.nr_hugepages"
	case errors.Is(err, syscall.ENOMEM):
		return fmt.Sprintf("the kernel cannot promise %d bytes; see vm.overcommit_memory", size)
	case errors.Is(err, syscall.EPERM) && o.HugePages:
		return "huge pages need CAP_IPC_LOCK or a group in vm.hugetlb_shm_group"
	}
	return ""
}

// pages returns how many pages size bytes take.
func pages(size int64) uint64 {
	p := uint64(os.Getpagesize())
	return (uint64(min(size, math.MaxInt64-int64(p))) + p - 1) / p
}
