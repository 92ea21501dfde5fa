package inspect

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/object"
	"github.com/shmkit/shmkit/sysv"
)

// Object returns one object by its address, of any kind, and all that is known of it. A file need not be
// mapped by anyone. fs.ErrNotExist: there is none.
func (s *Snapshot) Object(text string) (Object, error) {
	o, err := s.find(text)
	var bad *address.Error // which says of what
	if errors.As(err, &bad) {
		return Object{}, err
	}
	if err != nil {
		return Object{}, fmt.Errorf("%s: %w", text, err)
	}
	s.deepen(&o)
	return o, nil
}

func (s *Snapshot) find(text string) (Object, error) {
	if rest, ok := strings.CutPrefix(text, "map:"); ok {
		return s.findMap(rest)
	}
	a, err := address.Parse(text)
	if err != nil {
		return Object{}, err
	}
	switch target := a.Target.(type) {
	case address.Name:
		return s.named(filepath.Join(s.options.shm(), string(target)), KindPOSIX)
	case address.Path:
		return s.findPath(string(target))
	case address.Descriptor:
		pid := target.PID
		if pid == 0 {
			pid = s.self
		}
		return s.findDescriptor(pid, target.FD)
	case address.ObjectName:
		return s.findOwn(a.Kind, string(target))
	case address.ID:
		return s.findSystemV(a.Kind, func(_ uint32, id int) bool { return id == int(target) })
	case address.Key:
		return s.findSystemV(a.Kind, func(key uint32, _ int) bool { return key == uint32(target) })
	case address.FromPath:
		key, err := sysv.FromPath(target.Path, target.Project)
		if err != nil {
			return Object{}, err
		}
		return s.findSystemV(a.Kind, func(k uint32, _ int) bool { return k == uint32(key) })
	}
	return Object{}, fs.ErrNotExist
}

// findSystemV finds by key or identifier.
func (s *Snapshot) findSystemV(kind string, is func(key uint32, id int) bool) (Object, error) {
	if !s.options.wants(kind) {
		return Object{}, fmt.Errorf("this kind was not looked at: Options.Kinds are %s", strings.Join(s.options.Kinds, ", "))
	}
	switch kind {
	case KindSegment:
		for i := range s.segments.rows {
			if r := &s.segments.rows[i]; is(r.Key, r.ID) {
				return s.segment(r), nil
			}
		}
		return Object{}, orMissing(s.segments.err)
	case KindSemaphores:
		for i := range s.sets.rows {
			if r := &s.sets.rows[i]; is(r.Key, r.ID) {
				return s.set(r), nil
			}
		}
		return Object{}, orMissing(s.sets.err)
	}
	for i := range s.queues.rows {
		if r := &s.queues.rows[i]; is(r.Key, r.ID) {
			return s.messageQueue(r), nil
		}
	}
	return Object{}, orMissing(s.queues.err)
}

func orMissing(err error) error {
	if err == nil {
		err = fs.ErrNotExist
	}
	return err
}

// findPath finds a file, which may be a POSIX object, an object of shmkit, or what a descriptor in /proc is of.
func (s *Snapshot) findPath(path string) (Object, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return Object{}, err
	}
	if rest, ok := strings.CutPrefix(path, s.options.proc()+"/"); ok {
		part := strings.Split(rest, "/")
		if len(part) == 3 && part[1] == "fd" {
			pid, err1 := strconv.Atoi(part[0])
			if part[0] == "self" {
				pid, err1 = s.self, nil
			}
			fd, err2 := strconv.Atoi(part[2])
			if err1 == nil && err2 == nil {
				return s.findDescriptor(pid, fd)
			}
		}
	}
	dir, file := filepath.Split(path)
	dir = filepath.Clean(dir)
	for _, own := range s.ownDirs() {
		if kind, name, ok := object.ParseFileName(file); ok && own == dir {
			return s.own(dir, path, kind.String(), name)
		}
	}
	if dir == s.options.shm() {
		return s.named(path, KindPOSIX)
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	return s.named(path, KindFile)
}

// findOwn finds an object of shmkit.
func (s *Snapshot) findOwn(kind, name string) (Object, error) {
	file, err := object.FileName(object.KindOf(kind), name)
	if err != nil {
		return Object{}, err
	}
	dir := object.ChooseDir(s.options.Dir).Path()
	return s.own(dir, filepath.Join(dir, file), kind, name)
}

// findDescriptor finds what a process has open.
func (s *Snapshot) findDescriptor(pid, fd int) (Object, error) {
	for _, m := range s.memories {
		for _, d := range m.fds {
			if d == (descriptor{int32(pid), int32(fd)}) {
				return s.tell(m)
			}
		}
	}
	return Object{}, fs.ErrNotExist
}

// findMap finds what a process maps at an address: "812/7f12a0000000".
func (s *Snapshot) findMap(rest string) (Object, error) {
	number, start, _ := strings.Cut(rest, "/")
	pid, err := strconv.ParseInt(number, 10, 32)
	if number == "self" {
		pid, err = int64(s.self), nil
	}
	if err != nil {
		return Object{}, fmt.Errorf("%q is no number of a process", number)
	}
	at, err := strconv.ParseUint(start, 16, 64)
	if err != nil {
		return Object{}, fmt.Errorf("%q is no hexadecimal address", start)
	}
	for _, m := range s.memories {
		for i := range m.maps {
			if p := &m.maps[i]; int64(p.pid) == pid && p.Start <= at && at < p.End {
				return s.tell(m)
			}
		}
	}
	return Object{}, fs.ErrNotExist
}

// tell tells of a memory of any class.
func (s *Snapshot) tell(m *memory) (Object, error) {
	switch m.id.Class {
	case MemfdClass:
		return s.memfd(m)
	case AnonymousClass:
		return s.anonymous(m)
	case SegmentClass:
		if m.id.Namespace == s.ipc {
			if o, err := s.findSystemV(KindSegment, func(_ uint32, id int) bool { return id == int(m.id.Inode) }); err == nil {
				return o, nil
			}
		}
		return s.foreignSegment(m)
	}
	if !m.gone && !s.remote(m.id) {
		if o, err := s.findPath(m.path); err == nil && o.ID == m.id {
			return o, nil
		}
	}
	kind := KindFile
	if filepath.Dir(m.path) == s.options.shm() {
		kind = KindPOSIX
	}
	return s.mappedFile(m, kind)
}
