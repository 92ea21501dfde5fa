package inspect

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"syscall"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/memfd"
)

// memoryCandidates are what processes map or have open that no directory lists: memfds, memory without a name, files
// that are gone, and files anywhere else. owned are those that are told of already.
func (s *Snapshot) memoryCandidates(owned map[ID]bool) (all []candidate) {
	inShm := s.options.shm() + "/"
	for _, m := range s.sorted(func(m *memory) bool { return m.id.Class != SegmentClass && !owned[m.id] }) {
		c := candidate{key: m.path}
		switch {
		case m.id.Class == MemfdClass:
			c.kind, c.tell = KindMemfd, func() (Object, error) { return s.memfd(m) }
		case m.id.Class == AnonymousClass:
			c.kind, c.tell = KindMap, func() (Object, error) { return s.anonymous(m) }
		case strings.HasPrefix(m.path, inShm): // removed, or in the /dev/shm of another mount namespace
			c.kind = KindFile
			if !strings.Contains(m.path[len(inShm):], "/") {
				c.kind = KindPOSIX
			}
			c.tell = func() (Object, error) { return s.mappedFile(m, c.kind) }
		case m.shared() && !strings.HasPrefix(m.path, "/dev/"):
			c.kind, c.tell = KindFile, func() (Object, error) { return s.mappedFile(m, KindFile) }
		default:
			continue
		}
		all = append(all, c)
	}
	return all
}

// inside fills in what can be seen of a memory without a name.
func (s *Snapshot) inside(o *Object, m *memory) (way string, ok bool) {
	o.Locked, o.Huge = Amount{Unknown: whyNotDeep}, Amount{Unknown: whyNotDeep}
	o.Size = m.reach()
	why := "nobody has a descriptor of it, and only root is shown what is behind a mapping"
	for way := range s.ways(m) {
		st, err := stat(way, true)
		if err == nil && s.same(m.id, &st) {
			s.facts(o, way, true, &st)
			return way, true
		}
		if err != nil && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, fs.ErrNotExist) {
			why = err.Error()
		}
	}
	o.unseen(why)
	o.ModeUnknown = why
	return "", false
}

// same reports whether a file is the memory that has an ID.
func (s *Snapshot) same(id ID, st *syscall.Stat_t) bool {
	major, minor := sys.DeviceNumber(uint64(st.Dev))
	if st.Ino != id.Inode {
		return false
	}
	if id.Class == SegmentClass {
		return true // by the way that led to it; its device is not in its ID
	}
	// Parts of one btrfs, and all layers below an overlay, have devices of their own in stat, which maps does not show.
	return major == id.Major && minor == id.Minor || s.manyDevices(id)
}

// manyDevices reports whether what stat calls the device of a file is not what maps calls it.
func (s *Snapshot) manyDevices(id ID) bool {
	switch s.mounts[[2]uint32{id.Major, id.Minor}] {
	case "btrfs", "overlay", "bcachefs":
		return true
	}
	return false
}

// memfd tells of a memfd.
func (s *Snapshot) memfd(m *memory) (Object, error) {
	address, ok := s.nameless(m)
	if !ok {
		return Object{}, fs.ErrNotExist
	}
	o := Object{Address: address, Kind: KindMemfd, Name: strings.TrimPrefix(m.path, string(memfdPath)), ID: m.id, Hidden: s.hidden}
	way, ok := s.inside(&o, m)
	o.Removed = true
	o.Memfd = &Memfd{}
	if ok {
		o.Memfd.Seals, o.Memfd.SealsUnknown = s.seals(m.id, way)
	} else {
		o.Memfd.SealsUnknown = o.Allocated.Unknown
	}
	o.Users = s.users(m)
	s.judge(&o)
	return o, nil
}

// seals asks for those of a memfd.
func (s *Snapshot) seals(id ID, way string) (memfd.Seals, string) {
	id.Class = FileClass
	if s.leased[id] {
		return 0, "a process has a lease on it, which opening it would break"
	}
	fd, err := openToAsk(way, true)
	if err != nil {
		return 0, fmt.Sprintf("it cannot be opened: %v", err)
	}
	defer syscall.Close(fd)
	n, err := sys.Seals(fd)
	if err != nil {
		return 0, err.Error()
	}
	return memfd.Seals(n), ""
}

// anonymous tells of memory that never had a name.
func (s *Snapshot) anonymous(m *memory) (Object, error) {
	address, ok := s.nameless(m)
	if !ok {
		return Object{}, fs.ErrNotExist
	}
	o := Object{Address: address, Kind: KindMap, ID: m.id, Hidden: s.hidden}
	if name, ok := strings.CutPrefix(m.path, string(namedPath)); ok {
		o.Name = strings.TrimSuffix(name, "]")
	}
	s.inside(&o, m)
	o.Removed = true
	o.Users = s.users(m)
	s.judge(&o)
	return o, nil
}

// mappedFile tells of a file that processes map, by its name if it has one here.
func (s *Snapshot) mappedFile(m *memory, kind string) (Object, error) {
	o := Object{Kind: kind, ID: m.id, Hidden: s.hidden}
	if kind == KindPOSIX {
		o.Name = "/" + path.Base(m.path)
	}
	o.Users = s.users(m)
	o.Locked, o.Huge = Amount{Unknown: whyNotDeep}, Amount{Unknown: whyNotDeep}
	if s.remote(m.id) {
		o.Address, o.Path, o.Size = "file:"+m.path, m.path, m.reach()
		o.unseen("its file system is not asked: it may not answer")
		o.ModeUnknown = o.Allocated.Unknown
		s.judge(&o)
		return o, nil
	}
	for _, name := range m.names() {
		st, err := stat(name, false)
		if err == errNotRegular && !m.gone && deviceOf(name) { // a device, which has no pages of its own
			return Object{}, fs.ErrNotExist
		}
		if err == nil && s.same(m.id, &st) {
			o.Address, o.Path = "file:"+name, name
			s.facts(&o, name, false, &st)
			s.judge(&o)
			return o, nil
		}
	}
	var ok bool
	if o.Address, ok = s.nameless(m); !ok {
		return Object{}, fs.ErrNotExist
	}
	if _, ok := s.inside(&o, m); !ok {
		o.Removed = m.gone
	}
	if name := s.linked(m, &o); name != "" {
		o.Address, o.Path = "file:"+name, name
	} else if kind == KindFile {
		o.Name = m.path
	}
	s.judge(&o)
	return o, nil
}

// linked finds the path of a file that had none when it was opened and was given one later.
func (s *Snapshot) linked(m *memory, o *Object) string {
	dir, file := path.Split(m.path)
	if !m.gone || o.Removed || !bornNameless(file) {
		return ""
	}
	if name := filesOf(dir)[m.id]; name != "" {
		return path.Join(dir, name)
	}
	return ""
}

// names are the paths that a file may have. One that ends in " (deleted)" may be called so.
func (m *memory) names() []string {
	if m.gone {
		return []string{m.path + string(deletedPath)}
	}
	return []string{m.path}
}

// deviceOf reports whether a device stands at a path.
func deviceOf(path string) bool {
	var st syscall.Stat_t
	return syscall.Lstat(path, &st) == nil && (st.Mode&syscall.S_IFMT == syscall.S_IFCHR || st.Mode&syscall.S_IFMT == syscall.S_IFBLK)
}
