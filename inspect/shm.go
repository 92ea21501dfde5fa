package inspect

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/shmkit/shmkit/internal/object"
)

// fileCandidates are the files below Options.Shm, and shmkit's own objects there and in Options.Dir. owned are the
// memories that they are, or belong to.
func (s *Snapshot) fileCandidates() (all []candidate, owned map[ID]bool) {
	l := lister{s: s, owned: map[ID]bool{}, own: map[string]bool{}}
	for _, dir := range s.ownDirs() {
		l.own[dir] = true
		l.objects(dir)
	}
	// Whatever is wanted, a walk over memories must know what has a name there.
	if s.options.wants(KindPOSIX, KindFile) {
		l.walk(s.options.shm(), KindPOSIX)
	}
	return l.all, l.owned
}

// A lister goes through directories.
type lister struct {
	s     *Snapshot
	all   []candidate
	owned map[ID]bool
	own   map[string]bool // directories of objects, which are listed
}

// ownDirs are the directories that may have objects of shmkit.
func (s *Snapshot) ownDirs() []string {
	if s.options.Dir != "" {
		return []string{filepath.Clean(s.options.Dir)}
	}
	var dirs []string
	if dir := os.Getenv(object.EnvDir); dir != "" {
		dirs = append(dirs, filepath.Clean(dir))
	}
	shm := s.options.shm()
	entries, _ := os.ReadDir(shm) // an error is that of the walk over it
	for _, e := range entries {
		if number, ok := strings.CutPrefix(e.Name(), "shmkit-"); ok && e.IsDir() && isNumber(number) {
			dirs = append(dirs, filepath.Join(shm, e.Name()))
		}
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

func isNumber(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}

// unreadable reports whether an error of a directory is nothing to tell of: it has gone, or it is the private one of
// another user.
func unreadable(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)
}

// walk lists the regular files below a directory: of kind in it, and of kind file in those below it.
func (l *lister) walk(dir, kind string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		if kind == KindPOSIX || !unreadable(err) {
			l.all = append(l.all, candidate{kind: kind, err: err})
		}
		return
	}
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		switch {
		case e.IsDir() && !l.own[name]:
			l.walk(name, KindFile)
		case e.Type().IsRegular():
			l.file(name, kind)
		}
	}
}

// file lists one file, unless it is a part of an object.
func (l *lister) file(name, kind string) {
	st, err := stat(name, false)
	if err != nil {
		return
	}
	id := fileID(&st)
	if l.owned[id] {
		return
	}
	l.owned[id] = true
	l.all = append(l.all, candidate{kind: kind, key: name, tell: func() (Object, error) { return l.s.named(name, kind) }})
}

// named tells of a file by its name.
func (s *Snapshot) named(name, kind string) (Object, error) {
	st, err := stat(name, false)
	if err != nil {
		if err == errNotRegular { // something else has its name by now
			err = fs.ErrNotExist
		}
		return Object{}, err
	}
	o := Object{Kind: kind, Path: name, ID: fileID(&st), Address: "file:" + name, Hidden: s.hidden}
	if kind == KindPOSIX {
		o.Name = "/" + filepath.Base(name)
		if s.options.shm() == defaultShm {
			o.Address = "posix:" + o.Name
		}
	}
	m := s.memories[o.ID]
	if _, known := s.mounts[[2]uint32{o.ID.Major, o.ID.Minor}]; m == nil && !known {
		m = s.otherDevice(name, &o.ID)
	}
	o.Locked, o.Huge = Amount{Unknown: whyNotDeep}, Amount{Unknown: whyNotDeep}
	s.facts(&o, name, false, &st)
	o.Users = s.users(m)
	s.judge(&o)
	return o, nil
}

const defaultShm = "/dev/shm"

// otherDevice finds a file that maps knows by another device than stat does.
func (s *Snapshot) otherDevice(name string, id *ID) *memory {
	for _, m := range s.memories {
		if m.id.Class == FileClass && m.id.Inode == id.Inode && m.path == name && s.manyDevices(m.id) {
			*id = m.id
			return m
		}
	}
	return nil
}
