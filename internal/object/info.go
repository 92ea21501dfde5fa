package object

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/fdmap"
	"github.com/shmkit/shmkit/internal/sys"
)

// Info is what an outsider sees of an object: nobody is joined, and nothing written.
type Info struct {
	Kind       Kind
	Name       string
	Path       string
	Size       int64 // bytes
	BodySize   int64
	Blocks     int64 // bytes that the file system has given for it
	UID, GID   uint32
	Mode       fs.FileMode
	Created    time.Time
	Modified   time.Time
	Minor      uint32 // version of the layout
	Persistent bool
	Type       string
	ID         [16]byte
	Slots      int // members there can be
	Members    []MemberInfo
	Words      [16]uint64
	// Annex is how many bytes the second file has by the header, 0 if there is none;
	// AnnexBlocks what the file system has given for it, and AnnexMode its permission bits.
	Annex       int64
	AnnexPath   string
	AnnexBlocks int64
	AnnexMode   fs.FileMode
	// AnnexMapping is the second file while Look calls body, to be read only; nil if it
	// cannot be, and AnnexErr says why. That is no error of Look.
	AnnexMapping *shmkit.Mapping
	AnnexErr     error
	// Err says why the rest could not be read: permission, version, corruption.
	Err error
}

// MemberInfo is one member, living or dead. What it says of its process is what that
// process wrote.
type MemberInfo struct {
	Slot       int
	Generation uint32
	Alive      bool // its lifeline is held
	PID        int  // in its own PID namespace
	PIDNS      uint64
	Start      uint64 // clock ticks since boot
	UID        uint32
	Command    string
	Joined     time.Time
	Waiting    int // goroutines that sleep
	// Part is a copy of the kind's part of the record.
	Part []byte
}

// Living counts the members that are alive.
func (i *Info) Living() int {
	n := 0
	for _, m := range i.Members {
		if m.Alive {
			n++
		}
	}
	return n
}

// List tells of every object in a directory. There being no directory is no error.
func List(d Dir) ([]Info, error) {
	entries, err := os.ReadDir(d.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []Info
	for _, e := range entries {
		kind, name, ok := ParseFileName(e.Name())
		if !ok {
			continue
		}
		info, err := Look(d, kind, name, nil)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		all = append(all, info)
	}
	return all, nil
}

// Names lists the names of the objects of a kind in a directory. There being no directory is
// no error.
func Names(d Dir, of Kind) ([]string, error) {
	entries, err := os.ReadDir(d.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		if kind, name, ok := ParseFileName(e.Name()); ok && kind == of {
			names = append(names, name)
		}
	}
	return names, err
}

// Look tells of one object; body, if not nil, is called with a mapping of it that may
// only be read. What can't be told without permission, or because the object is
// broken, is left out, and Err says why. fs.ErrNotExist is the only error.
func Look(d Dir, kind Kind, name string, body func(i *Info, m *shmkit.Mapping, bodyOffset int64) error) (Info, error) {
	i := Info{Kind: kind, Name: name}
	p := place{address: kind.String() + ":" + name}
	file, err := FileName(kind, name)
	if err != nil {
		return i, p.fail("stat", err, "")
	}
	p.path = filepath.Join(d.path, file)
	i.Path = p.path
	st, err := os.Lstat(p.path)
	if err != nil {
		return i, p.fail("stat", err, "")
	}
	raw := st.Sys().(*syscall.Stat_t)
	i.Size, i.Blocks, i.UID, i.GID, i.Mode, i.Modified = st.Size(), raw.Blocks*512, raw.Uid, raw.Gid, st.Mode().Perm(), st.ModTime()
	if err := i.read(p, body); err != nil {
		i.Err = p.fail("stat", err, "")
	}
	return i, nil
}

func (i *Info) read(p place, body func(*Info, *shmkit.Mapping, int64) error) (err error) {
	f, err := openReading(p.path)
	if err != nil {
		return err
	}
	file := fdmap.New(f, p.address)
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := checkFile(f, owners{anyone: true}); err != nil {
		return err
	}
	if i.Size < headerSize || i.Size > maxSize {
		return notBegun(i.Size, nil)
	}
	m, err := file.Map(fdmap.Options{Len: i.Size, Protection: shmkit.Read})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	v, err := shmkit.ViewSlice[byte](m, 0, int(i.Size))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	o := &Object{place: p, locks: locks{file: file}, mem: v.Data(), slot: -1}
	o.h = headerAt(o.mem)
	return guard(func() error {
		if o.shape, err = readShape(o.h, i.Size); err != nil {
			return err
		}
		if o.kind != i.Kind {
			return o.fits(&Config{Kind: i.Kind})
		}
		i.BodySize, i.Created, i.Minor, i.Persistent = o.bodySize, o.created, o.minor, o.persistent
		i.Type, i.ID, i.Slots, i.Words = o.typeName, o.id, o.members, o.words
		if err := i.readMembers(o); err != nil {
			return err
		}
		i.lookAtAnnex(o)
		if body == nil {
			return nil
		}
		defer i.showAnnex()()
		return body(i, m, o.body)
	})
}

// openReading opens a file without a trace: the time of the last access stays as it is, where the kernel
// lets this user have that.
func openReading(path string) (*os.File, error) {
	const flags = os.O_RDONLY | syscall.O_NOFOLLOW | syscall.O_NONBLOCK | syscall.O_CLOEXEC
	f, err := os.OpenFile(path, flags|sys.O_NOATIME, 0)
	if errors.Is(err, syscall.EPERM) { // it is another user's
		f, err = os.OpenFile(path, flags, 0)
	}
	return f, err
}

// lookAtAnnex says what there is of the second file.
func (i *Info) lookAtAnnex(o *Object) {
	i.Annex, i.AnnexPath = o.AnnexSize(), o.AnnexPath()
	if i.Annex == 0 {
		return
	}
	st, err := os.Lstat(i.AnnexPath)
	if err != nil {
		i.AnnexErr = o.fail("stat", fmt.Errorf("its second file: %w", unwrapPath(err)), "")
		return
	}
	i.AnnexBlocks, i.AnnexMode = st.Sys().(*syscall.Stat_t).Blocks*512, st.Mode().Perm()
}

// showAnnex maps the second file for a while, if that can be.
func (i *Info) showAnnex() (end func()) {
	end = func() {}
	if i.Annex == 0 || i.AnnexErr != nil {
		return end
	}
	err := func() error {
		f, err := openAnnexAt(i.AnnexPath, false)
		if err != nil {
			return err
		}
		file := fdmap.New(f, f.Name())
		defer file.Close() // the mapping holds it
		if err := checkAnnex(f, owners{anyone: true}, i.Annex); err != nil {
			return err
		}
		i.AnnexMapping, err = file.Map(fdmap.Options{Len: i.Annex, Protection: shmkit.Read})
		return err
	}()
	if err != nil {
		p := place{address: i.Kind.String() + ":" + i.Name}
		i.AnnexErr = p.fail("stat", fmt.Errorf("its second file: %w", unwrapPath(err)), "")
		return end
	}
	return func() {
		i.AnnexErr = i.AnnexMapping.Close()
		i.AnnexMapping = nil
	}
}

// readMembers reads the records that are live, of the living and of the dead.
func (i *Info) readMembers(o *Object) error {
	for slot := range o.Highest() {
		r := o.record(slot)
		generation, state := unpack(r.ident.Load())
		if state != stateLive {
			continue
		}
		alive, err := o.locks.others(slot, 1)
		if err != nil {
			return err
		}
		var command [16]byte
		for n := range r.command {
			binary.NativeEndian.PutUint64(command[8*n:], r.command[n].Load())
		}
		text, _, _ := strings.Cut(string(command[:]), "\x00")
		i.Members = append(i.Members, MemberInfo{
			Slot: slot, Generation: generation, Alive: alive, PID: int(r.pid.Load()), PIDNS: r.pidns.Load(), Start: r.start.Load(),
			UID: r.uid.Load(), Command: text, Joined: time.Unix(0, r.joined.Load()), Waiting: int(int32(r.waiting.Load())),
			Part: append([]byte(nil), o.Part(slot)...),
		})
	}
	return nil
}

// Remove removes the name of an object that no living member has open (ErrInUse), also a
// persistent one. What is broken, or of another version, and open to nobody, goes too.
func Remove(d Dir, kind Kind, name string) error {
	p := place{address: kind.String() + ":" + name}
	file, err := FileName(kind, name)
	if err != nil {
		return p.fail("remove", err, "")
	}
	p.path = filepath.Join(d.path, file)
	f, err := os.OpenFile(p.path, os.O_RDWR|syscall.O_NOFOLLOW|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if errors.Is(err, syscall.ELOOP) {
		err = foreign("it is a symbolic link")
	}
	if err != nil {
		return p.fail("remove", err, "")
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return p.fail("remove", errors.Join(err, foreign("it is no regular file"), f.Close()), "")
	}
	l := &locks{file: fdmap.New(f, p.address)}
	annex, err := p.readAnnexPath(l)
	removed := false
	if err == nil {
		removed, err = p.removeCheck(context.Background(), l, annex, nil)
	}
	if err == nil && !removed {
		err = ErrInUse
	}
	if e := l.file.Close(); err == nil {
		err = e
	}
	if err != nil {
		return p.fail("remove", err, "")
	}
	d.tidy()
	return nil
}
