package sysv

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"sync"
	"syscall"

	"github.com/shmkit/shmkit/internal/sys"
)

// MaxSemaphoreValue is the largest value of a semaphore; SEMVMX.
const MaxSemaphoreValue = 32767

// SemaphoreSet is a set of semaphores, numbered from 0. It holds the identifier
// only and is safe for use by any number of goroutines. The zero value is no set
// (fs.ErrNotExist).
type SemaphoreSet struct {
	id  identifier
	key Key
}

// CreateSemaphores makes a set of n semaphores, at least 1, all of them 0, whose
// key must be free (fs.ErrExist) or Private. Linux makes them 0 (POSIX leaves it
// open), so that a set needs no second step before others may use it.
//
// Errors are those of semget(2): EINVAL for an n below 1 or above SEMMSL, ENOSPC
// when SEMMNI sets or SEMMNS semaphores exist.
func CreateSemaphores(key Key, n int, mode fs.FileMode) (*SemaphoreSet, error) {
	return GetSemaphores(key, n, &GetOptions{Create: true, Exclusive: true, Mode: mode})
}

// OpenSemaphores finds the set with a key; fs.ErrNotExist if there is none.
func OpenSemaphores(key Key) (*SemaphoreSet, error) {
	if key == Private {
		return nil, privateError("semaphore set", "sem")
	}
	return GetSemaphores(key, 0, nil)
}

// OpenOrCreateSemaphores is OpenSemaphores, or CreateSemaphores if the key does
// not exist. An existing set must have at least n semaphores (EINVAL) and grant
// what mode asks for (fs.ErrPermission); it may have more.
func OpenOrCreateSemaphores(key Key, n int, mode fs.FileMode) (*SemaphoreSet, error) {
	return GetSemaphores(key, n, &GetOptions{Create: true, Mode: mode})
}

// OpenSemaphoresID finds the set with an identifier; fs.ErrNotExist if there is
// none. The caller need not be allowed to read it.
func OpenSemaphoresID(id int) (*SemaphoreSet, error) {
	if !fitsID(id) {
		return nil, noSuchID("semaphore set sem", id)
	}
	s := &SemaphoreSet{id: identified(id)}
	var ds sys.SemidDS
	err := s.look(&ds)
	if err != nil && !errors.Is(err, syscall.EACCES) { // which means that it exists, and that is all we ask
		return nil, s.fail("open", gone(err), "")
	}
	s.key = Key(ds.Perm.Key)
	return s, nil
}

// GetSemaphores is semget(2) with all it can do; nil options open an existing set
// of at least n semaphores. A Private key makes a new set, with or without
// Create.
func GetSemaphores(key Key, n int, o *GetOptions) (*SemaphoreSet, error) {
	fail := func(err error, hint string) (*SemaphoreSet, error) {
		return nil, &Error{Op: verb(key, o), Object: "semaphore set " + address("sem", key, -1), Err: err, Hint: hint}
	}
	flags, err := o.flags()
	if err != nil {
		return fail(err, "")
	}
	if n < 0 || n > math.MaxInt32 {
		return fail(syscall.EINVAL, semaphoresHint(syscall.EINVAL, key, n))
	}
	id, err := sys.Semget(int32(key), n, flags)
	if err != nil {
		return fail(err, semaphoresHint(err, key, n))
	}
	return &SemaphoreSet{id: identified(id), key: key}, nil
}

// ID returns the identifier, which other processes can use with
// OpenSemaphoresID.
func (s *SemaphoreSet) ID() int { return s.id.num() }

// Key returns the key, Private for a set without one.
func (s *SemaphoreSet) Key() Key { return s.key }

// String returns the address of the set: "sem:0x5eed" or "sem:id=3".
func (s *SemaphoreSet) String() string { return address("sem", s.key, s.id.num()) }

// Values returns the values of all semaphores at one moment. It needs read
// permission.
func (s *SemaphoreSet) Values() ([]int, error) {
	info, err := s.stat("read values of")
	if err != nil {
		return nil, err
	}
	buf := valueBuffers.Get().(*[]uint16)
	defer valueBuffers.Put(buf)
	raw := slices.Grow((*buf)[:0], info.Count)
	if err := sys.SemGetAll(s.id.num(), raw[:cap(raw)]); err != nil {
		return nil, s.fail("read values of", gone(err), "")
	}
	values := make([]int, info.Count)
	for i, v := range raw[:info.Count] {
		values[i] = int(v)
	}
	return values, nil
}

// valueBuffers holds buffers for all values of a set. The kernel reads and writes as
// many as the set has, and it could be another set by then, if one with this
// identifier was removed and made anew: they hold as many as semop can number.
var valueBuffers = sync.Pool{New: func() any {
	b := make([]uint16, math.MaxUint16+1)
	return &b
}}

// SetValues sets all semaphores at once, 0 to MaxSemaphoreValue each (ERANGE);
// there must be one value for each (EINVAL). What processes have to undo on the
// set is forgotten. It needs write permission.
func (s *SemaphoreSet) SetValues(values []int) error {
	var ds sys.SemidDS
	if err := s.look(&ds); err != nil {
		return s.fail("set values of", gone(err), "")
	}
	if uint64(len(values)) != ds.Nsems { // the kernel would read that many all the same
		return s.fail("set values of", syscall.EINVAL, fmt.Sprintf("%d values given, the set has %d semaphores", len(values), ds.Nsems))
	}
	buf := valueBuffers.Get().(*[]uint16)
	defer valueBuffers.Put(buf)
	raw := slices.Grow((*buf)[:0], len(values))[:len(values)]
	for i, v := range values {
		if v < 0 || v > MaxSemaphoreValue {
			return s.fail("set values of", syscall.ERANGE, fmt.Sprintf("value %d of semaphore %d is outside 0 to %d", v, i, MaxSemaphoreValue))
		}
		raw[i] = uint16(v)
	}
	if err := sys.SemSetAll(s.id.num(), raw); err != nil {
		return s.fail("set values of", gone(err), "")
	}
	return nil
}

// Value returns the value of semaphore i.
func (s *SemaphoreSet) Value(i int) (int, error) { return s.get("read value of", i, sys.GETVAL) }

// SetValue sets semaphore i, 0 to MaxSemaphoreValue (ERANGE). What processes have
// to undo on it is forgotten.
func (s *SemaphoreSet) SetValue(i, value int) error {
	if value < 0 || value > MaxSemaphoreValue {
		return s.fail("set value of", syscall.ERANGE, fmt.Sprintf("value %d of semaphore %d is outside 0 to %d", value, i, MaxSemaphoreValue))
	}
	if err := s.check("set value of", i); err != nil {
		return err
	}
	if err := sys.SemSetVal(s.id.num(), i, int32(value)); err != nil {
		return s.indexError("set value of", i, err)
	}
	return nil
}

// LastPID returns the process that last set semaphore i or operated on it, be it
// with Zero; 0 if none did, or none that this PID namespace knows.
func (s *SemaphoreSet) LastPID(i int) (int, error) {
	return s.get("read last process of", i, sys.GETPID)
}

// Waiting returns how many threads wait for semaphore i to grow. A step of several
// operations waits for one semaphore at a time: the first that it cannot pass.
func (s *SemaphoreSet) Waiting(i int) (int, error) { return s.get("count waiters of", i, sys.GETNCNT) }

// WaitingForZero returns how many threads wait for semaphore i to be 0.
func (s *SemaphoreSet) WaitingForZero(i int) (int, error) {
	return s.get("count waiters of", i, sys.GETZCNT)
}

func (s *SemaphoreSet) get(op string, i, cmd int) (int, error) {
	if err := s.check(op, i); err != nil {
		return 0, err
	}
	v, err := sys.SemGet(s.id.num(), i, cmd)
	if err != nil {
		return 0, s.indexError(op, i, err)
	}
	return v, nil
}

// check refuses an index that the kernel's C int would cut.
func (s *SemaphoreSet) check(op string, i int) error {
	if i < 0 || i > math.MaxInt32 {
		return s.indexError(op, i, syscall.EINVAL)
	}
	return nil
}

// indexError tells a bad index from a set that is gone: the kernel says EINVAL
// for both.
func (s *SemaphoreSet) indexError(op string, i int, err error) error {
	var ds sys.SemidDS
	if errors.Is(err, syscall.EINVAL) && s.look(&ds) == nil {
		return s.fail(op, err, fmt.Sprintf("no semaphore %d, the set has 0 to %d", i, int(ds.Nsems)-1))
	}
	return s.fail(op, gone(err), "")
}

// Stat returns what the kernel knows of the set. It needs read permission;
// SemaphoreSets does not.
func (s *SemaphoreSet) Stat() (SemaphoreSetInfo, error) { return s.stat("stat") }

func (s *SemaphoreSet) stat(op string) (SemaphoreSetInfo, error) {
	var ds sys.SemidDS
	if _, err := sys.SemStat(s.id.num(), sys.IPC_STAT, &ds); err != nil {
		return SemaphoreSetInfo{}, s.fail(op, gone(err), "")
	}
	return semaphoreSetInfo(s.id.num(), &ds), nil
}

// SetOwner gives the set to another user and group; -1 leaves one as it is.
func (s *SemaphoreSet) SetOwner(uid, gid int) error {
	if err := checkOwner(uid, gid); err != nil {
		return s.fail("set owner of", err, "")
	}
	return s.set("set owner of", ownerChange(uid, gid))
}

// SetMode sets the nine permission bits; write permission is what operations
// need.
func (s *SemaphoreSet) SetMode(mode fs.FileMode) error {
	if mode&^0o777 != 0 {
		return s.fail("set mode of", &modeError{mode}, "")
	}
	return s.set("set mode of", modeChange(mode))
}

func (s *SemaphoreSet) set(op string, change changePerm) error {
	var ds sys.SemidDS
	if err := s.look(&ds); err != nil {
		return s.fail(op, gone(err), "")
	}
	change(&ds.Perm)
	if err := sys.SemSet(s.id.num(), &ds); err != nil {
		if errors.Is(err, syscall.EINVAL) && s.look(&ds) == nil {
			return s.fail(op, err, unknownOwner)
		}
		return s.fail(op, gone(err), "")
	}
	return nil
}

// Remove removes the set at once: whoever waits on it gets ErrRemoved.
func (s *SemaphoreSet) Remove() error {
	if err := sys.SemRemove(s.id.num()); err != nil {
		return s.fail("remove", gone(err), "")
	}
	return nil
}

// look is Stat that needs no read permission; EACCES from kernels that insist on
// it.
func (s *SemaphoreSet) look(ds *sys.SemidDS) error {
	_, err := sys.SemStat(s.id.num(), sys.IPC_STAT, ds)
	if errors.Is(err, syscall.EACCES) {
		err = statByIndex(s.id.num(), sys.SEM_STAT_ANY, sys.SemStat, ds)
	}
	return err
}

// fail makes the error of an operation on s.
func (s *SemaphoreSet) fail(op string, err error, hint string) error {
	if hint == "" && (errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM)) {
		var ds sys.SemidDS
		if s.look(&ds) == nil {
			hint = permHint(err, permission(s.id.num(), &ds.Perm))
		}
	}
	return &Error{Op: op, Object: "semaphore set " + s.String(), Err: err, Hint: hint}
}

// semaphoresHint explains a failed semget.
func semaphoresHint(err error, key Key, n int) string {
	existing, exists := SemaphoreSetInfo{}, false
	if key != Private {
		existing, exists = find(SemaphoreSets, func(i SemaphoreSetInfo) bool { return i.Key == key })
	}
	limits, lerr := ReadSemaphoreLimits()
	switch {
	case errors.Is(err, syscall.EACCES) && exists:
		return permHint(err, existing.Permission)
	case errors.Is(err, syscall.EEXIST) && exists:
		return fmt.Sprintf("it has %d semaphores", existing.Count)
	case errors.Is(err, syscall.EINVAL) && lerr == nil && n > limits.MaxPerSet:
		return fmt.Sprintf("%d semaphores are above the limit of %d in a set (kernel.sem)", n, limits.MaxPerSet)
	case errors.Is(err, syscall.EINVAL) && exists && n > existing.Count:
		return fmt.Sprintf("it exists with %d semaphores, %d were asked for", existing.Count, n)
	case errors.Is(err, syscall.EINVAL) && n < 1:
		return fmt.Sprintf("the number of semaphores must be at least 1, not %d", n)
	case errors.Is(err, syscall.ENOSPC) && lerr == nil:
		if limits.Sets >= limits.MaxSets {
			return fmt.Sprintf("%d sets exist and the limit is %d (kernel.sem, SEMMNI); remove unused ones or raise it", limits.Sets, limits.MaxSets)
		}
		return fmt.Sprintf("%d semaphores exist and the limit is %d (kernel.sem, SEMMNS), this needs %d; remove unused sets or raise it",
			limits.Semaphores, limits.MaxSemaphores, n)
	}
	return ""
}
