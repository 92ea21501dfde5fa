package explain

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/posixshm"
)

// Where experiments put what has a name, so that it is gone afterwards.

// secretName is a name that nobody else has, and short enough for drawings.
func secretName() string { return fmt.Sprintf("shmkit-%d-%s", os.Getpid(), rand.Text()[:6]) }

// posixName chooses the name of a POSIX object that may have size bytes, and the path of the
// file that it is. It is known to the janitor before it exists.
func (x *lab) posixName(size int64) (name, path string) {
	name = "/" + secretName()
	path = filepath.Join(string(posixshm.Default), name)
	x.remember("path", path)
	x.check(checkPosix(name, size))
	return name, path
}

// A fileSystem is where files of an experiment are.
type fileSystem struct {
	dir    string
	kind   string // as mount(8) calls it
	source string // what is mounted: a device, if there is one
	// disk: there is a device behind it, which pages are written back to.
	disk bool
	// counts: cachestat knows which pages are dirty. A file of an overlay has them in the
	// page cache of another one.
	counts bool
}

func (fs fileSystem) String() string { return fmt.Sprintf("%s on %s", fs.kind, fs.source) }

// deviceKinds are file systems on a device of this machine.
var deviceKinds = map[string]bool{"ext4": true, "xfs": true, "btrfs": true, "f2fs": true}

// diskFolder makes a folder on a disk, which is gone afterwards. If there is no disk, it is
// in memory.
func (x *lab) diskFolder() fileSystem {
	places := x.opts.places
	if places == nil {
		places = []string{tempDir(x.opts), "/var/tmp", "."}
	}
	var all []fileSystem
	for _, dir := range places {
		if fs, err := fileSystemAt(dir); err == nil {
			all = append(all, fs)
		}
	}
	slices.SortStableFunc(all, func(a, b fileSystem) int { return b.rank() - a.rank() })
	errs := []error{fmt.Errorf("no place for files in %q; set TMPDIR to a folder with room, where files may be made", places)}
	for _, fs := range all {
		dir := filepath.Join(fs.dir, secretName())
		x.remember("path", dir)
		err := os.Mkdir(dir, 0o700)
		if err == nil {
			if err = checkRoom(dir); err == nil {
				fs.dir = dir
				return fs
			}
			err = errors.Join(err, os.Remove(dir))
		}
		errs = append(errs, err)
	}
	x.fail(errors.Join(errs...))
	return fileSystem{}
}

// rank tells how much can be seen there.
func (fs fileSystem) rank() int {
	switch {
	case fs.counts:
		return 2
	case fs.disk:
		return 1
	}
	return 0
}

func tempDir(o *Options) string {
	if o.TempDir != "" {
		return o.TempDir
	}
	return os.TempDir()
}

// fileSystemAt looks at what a folder is on.
func fileSystemAt(dir string) (fileSystem, error) {
	fs := fileSystem{dir: dir, source: "none"}
	magic, err := sys.FileSystemOf(dir)
	if err != nil {
		return fs, err
	}
	fs.kind = sys.FileSystemName(magic)
	fs.counts = deviceKinds[fs.kind]
	fs.disk = fs.counts || fs.kind == "overlay"
	f, err := os.Open(dir)
	if err != nil {
		return fs, err
	}
	defer f.Close()
	fs.source, err = mountSource(f)
	return fs, err
}

// mountSource is what is mounted where a file is: "/dev/sda2", "tmpfs".
func mountSource(f *os.File) (string, error) {
	info, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", f.Fd()))
	if err != nil {
		return "", err
	}
	var id string
	for line := range strings.Lines(string(info)) {
		if rest, ok := strings.CutPrefix(line, "mnt_id:"); ok {
			id = strings.TrimSpace(rest)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(mounts)) {
		// "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue"
		before, after, _ := strings.Cut(line, " - ")
		if words := strings.Fields(after); len(words) > 1 && strings.HasPrefix(before, id+" ") {
			return words[1], nil
		}
	}
	return "none", nil
}

// smapsOf reads a number of kB of the area that begins at an address from
// /proc/PID/smaps: the sum of the fields. ok is false if there is no such area.
func smapsOf(pid int, addr uint64, fields ...string) (kB int64, ok bool, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps", pid))
	if err != nil {
		return 0, false, err
	}
	inside := false
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if !strings.HasSuffix(words[0], ":") { // the line of an area
			inside = strings.HasPrefix(line, fmt.Sprintf("%x-", addr))
			ok = ok || inside
			continue
		}
		for _, field := range fields {
			if inside && words[0] == field+":" {
				n, err := strconv.ParseInt(words[1], 10, 64)
				if err != nil {
					return 0, false, err
				}
				kB += n
			}
		}
	}
	return kB, ok, nil
}
