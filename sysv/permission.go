package sysv

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"syscall"
	"time"

	"github.com/shmkit/shmkit/internal/sys"
)

// Permission says who an object belongs to and who may use it; struct ipc_perm.
type Permission struct {
	Key        Key
	ID         int
	UID        uint32 // owner
	GID        uint32
	CreatorUID uint32
	CreatorGID uint32
	Mode       fs.FileMode // nine bits; execute bits matter to AttachOptions.Exec only
	Seq        uint16      // the part of the identifier that tells apart those who had its place in turn
}

func permission(id int, p *sys.IPCPerm) Permission {
	return Permission{
		Key: Key(p.Key), ID: id, UID: p.UID, GID: p.GID, CreatorUID: p.CUID, CreatorGID: p.CGID,
		Mode: fs.FileMode(p.Mode & 0o777), Seq: p.Seq,
	}
}

// GetOptions is how to get an object by key. The zero value opens an existing
// one.
type GetOptions struct {
	Create    bool // make it if the key does not exist
	Exclusive bool // with Create: fail with fs.ErrExist if it does
	// Mode: with Create the nine permission bits of a new object, as they are
	// (the umask does not count). For an existing object, the permissions to
	// require: fs.ErrPermission if the caller lacks one of them.
	Mode fs.FileMode
}

// flags returns o as the kernel's flags.
func (o *GetOptions) flags() (int, error) {
	if o == nil {
		return 0, nil
	}
	if o.Mode&^0o777 != 0 {
		return 0, &modeError{o.Mode}
	}
	f := int(o.Mode)
	if o.Create {
		f |= sys.IPC_CREAT
	}
	if o.Exclusive {
		f |= sys.IPC_EXCL
	}
	return f, nil
}

// modeError is a mode with more than permission bits.
type modeError struct{ mode fs.FileMode }

func (e *modeError) Error() string {
	return fmt.Sprintf("mode %#o has more than the nine permission bits: %v", uint32(e.mode), syscall.EINVAL)
}
func (e *modeError) Unwrap() error { return syscall.EINVAL }

// ownerError is a number that names no user or group. The kernel would cut it to
// 32 bits, and the user 1<<32 would be root.
type ownerError struct{ uid, gid int }

func (e *ownerError) Error() string {
	return fmt.Sprintf("uid %d gid %d are not both -1 or a number of 32 bits: %v", e.uid, e.gid, syscall.EINVAL)
}
func (e *ownerError) Unwrap() error { return syscall.EINVAL }

// checkOwner allows what ownerChange takes. The largest number of 32 bits is -1 to
// the kernel, and no user.
func checkOwner(uid, gid int) error {
	for _, n := range []int{uid, gid} {
		if n < -1 || n >= math.MaxUint32 {
			return &ownerError{uid, gid}
		}
	}
	return nil
}

// unknownOwner explains the EINVAL of a change of owner: what is left when the
// object exists and the numbers fit.
const unknownOwner = "the uid or gid means nothing in this user namespace"

// changePerm applies one change of owner, group or mode to p.
type changePerm func(p *sys.IPCPerm)

func ownerChange(uid, gid int) changePerm {
	return func(p *sys.IPCPerm) {
		if uid >= 0 {
			p.UID = uint32(uid)
		}
		if gid >= 0 {
			p.GID = uint32(gid)
		}
	}
}

func modeChange(mode fs.FileMode) changePerm {
	return func(p *sys.IPCPerm) { p.Mode = uint32(mode) }
}

// verb says what get was about, for messages. A private key always makes an object.
func verb(key Key, o *GetOptions) string {
	if key == Private || o != nil && o.Create {
		return "create"
	}
	return "open"
}

// gone turns the EINVAL of a call by identifier into errNoID. Only the kernel's
// own: that of a modeError is about the argument.
func gone(err error) error {
	if errno, ok := err.(syscall.Errno); ok && errno == syscall.EINVAL {
		return errNoID
	}
	return err
}

// when turns kernel seconds into a time; 0 is the zero Time: never.
func when(sec int64) time.Time {
	if sec == 0 {
		return time.Time{}
	}
	return time.Unix(sec, 0)
}

// list calls stat for every index up to highest and collects the answers. An
// index that is free, or whose object went meanwhile, is passed over.
func list[T any](highest int, stat func(index int) (T, error)) ([]T, error) {
	var all []T
	for i := 0; i <= highest; i++ {
		v, err := stat(i)
		switch {
		case err == nil:
			all = append(all, v)
		case errors.Is(err, syscall.EINVAL), errors.Is(err, syscall.EIDRM), errors.Is(err, syscall.EACCES):
		default:
			return nil, err
		}
	}
	return all, nil
}

// statByIndex fills ds for an object that the caller may not read. cmd, one of
// the STAT_ANY commands, asks no permission but wants the index, which is the low
// bits of the identifier: 15 of them, or 24 with ipcmni_extend.
func statByIndex[DS any](id, cmd int, stat func(id, cmd int, ds *DS) (int, error), ds *DS) error {
	for _, bits := range []int{15, 24} {
		if got, err := stat(id&(1<<bits-1), cmd, ds); err == nil && got == id {
			return nil
		}
	}
	return syscall.EACCES
}

// find returns the first object of a listing that is meant. A listing that fails
// finds nothing: it only serves messages.
func find[T any](list func() ([]T, error), is func(T) bool) (T, bool) {
	all, _ := list()
	for _, v := range all {
		if is(v) {
			return v, true
		}
	}
	var none T
	return none, false
}
